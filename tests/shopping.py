"""What contacts do in the worlds of the replay tests and the fault harness, drawn by lot; their journeys as files."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any


def properties_by_lot(random: Random) -> dict[str, Any]:
    """Return what an event of a shop says: of few products and orders, so that contacts come back to them."""
    return {
        "name": random.choice(["Kettle", "Töpfe", "急須"]),
        "total": random.choice([12, 99.9]),
        "order_id": f"o{random.randint(1, 3)}",
    }


def write_documents(folder: Path, text: str) -> Path:
    """Write each journey of ``text``, where a line of ``---`` parts them, into a file of ``folder`` and return that."""
    folder.mkdir()
    for number, journey in enumerate(text.split("---\n")):
        (folder / f"{number}.yaml").write_text(journey, encoding="utf-8")
    return folder
