"""A site's server: runs one SDK, in a process of its own, with the calls of one person."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from shared.clock import HOUR
from tests.e2e.host import KEY
from tests.sdks.installed import FOLDER, PYTHON

SERVER_SDKS: Mapping[str, Sequence[str]] = {
    "segment python": [str(PYTHON), "segment_python.py"],
    "segment node": ["node", "segment_node.mjs"],
    "rudder python": [str(PYTHON), "rudder_python.py"],
    "rudder node": ["node", "rudder_node.mjs"],
    "posthog python": [str(PYTHON), "posthog_python.py"],
    "posthog python v1": ["env", "POSTHOG_CAPTURE_MODE=v1", str(PYTHON), "posthog_python.py"],
    "posthog node": ["node", "posthog_node.mjs"],
}

TRAITS = {"email": "aki@example.jp", "first_name": "秋"}
KETTLE = {"product_id": "p1", "name": "やかん", "price": 4980.5, "sizes": [1, 2], "gift": False}
ORDER = {"order_id": "o1", "total": 4980.5}


def a_day(user: str, now: int) -> list[dict[str, Any]]:
    """The calls of one customer: three now, and an order that was made two hours ago and is reported now."""
    return [
        {"call": "identify", "user_id": user, "traits": TRAITS},
        {"call": "page", "user_id": user, "name": "Kettles", "properties": {"path": "/kettles"}},
        {"call": "track", "user_id": user, "event": "Product Added", "properties": KETTLE},
        {"call": "track", "user_id": user, "event": "Order Completed", "properties": ORDER, "at": now - 2 * HOUR},
    ]


def send(sdk: str, url: str, calls: Sequence[Mapping[str, Any]]) -> None:
    """Let ``sdk`` make ``calls`` to ``url`` and end."""
    job = json.dumps({"url": url, "key": KEY, "calls": calls})
    done = subprocess.run(
        [*SERVER_SDKS[sdk], job], cwd=FOLDER / "senders", capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
