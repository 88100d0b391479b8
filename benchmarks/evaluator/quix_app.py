"""The cart job on Quix Streams; runs in an environment of its own (``requirements.txt``), without our modules.

``python quix_app.py BOOTSTRAP NAME EVENTS COMMANDS FOLDER COMMIT_SECONDS``

State as its documentation has it: a stateful function, RocksDB, a changelog topic. It knows no timers, and a function
sees the state of its own key only. So due times are kept in the state and, to find those of silent contacts, in a heap
of hints; their state is reached the way in which the library itself makes a key's ``State``. After a restart the heap
would be empty: the state of a partition cannot be walked by its API. It is left at that, in its favour.
"""

from __future__ import annotations

import heapq
import sys
from collections import defaultdict
from typing import Any

from quixstreams import Application, message_context

WAIT = 45 * 60_000


def main() -> None:
    """Run until killed."""
    bootstrap, name, events, commands, folder, commit = sys.argv[1:]
    app = Application(
        broker_address=bootstrap,
        consumer_group=name,
        auto_offset_reset="earliest",
        auto_create_topics=True,
        commit_interval=float(commit),
        consumer_poll_timeout=0.1,
        state_dir=folder,
        loglevel="ERROR",
    )
    source = app.topic(events, key_deserializer="str", value_deserializer="json")
    sink = app.topic(commands, key_serializer="str", value_serializer="json")
    frame: Any = app.dataframe(source)
    hints: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)

    def happened(event: dict[str, Any], key: str, now: int, _headers: Any, state: Any) -> list[dict[str, Any]]:
        partition = message_context().partition
        due_here = hints[partition]
        fired: list[dict[str, Any]] = []
        if due_here and due_here[0][0] < now:
            transaction = frame.processing_context.checkpoint.get_store_transaction(
                stream_id=frame.stream_id, partition=partition
            )
            while due_here and due_here[0][0] < now:
                due, contact = heapq.heappop(due_here)
                theirs = transaction.as_state(prefix=contact, timestamp=now)
                found = theirs.get("contact")
                if found["due"] == due:
                    fired.append({"contact": contact, **found})
                    theirs.set("contact", {**found, "due": None})
        known = state.get("contact") or {"due": None, "cart": "", "product": "", "email": ""}
        match event["name"]:
            case "Identified":
                state.set("contact", {**known, "email": event["traits"]["email"]})
            case "Product Added":
                said = event["properties"]
                known |= {"due": now + WAIT, "cart": said["cart_id"], "product": said["name"]}
                state.set("contact", known)
                heapq.heappush(due_here, (known["due"], key))
            case "Product Viewed" if known["due"] is not None:
                state.set("contact", {**known, "due": now + WAIT})
                heapq.heappush(due_here, (now + WAIT, key))
            case "Order Completed" if known["due"] is not None:
                state.set("contact", {**known, "due": None})
        return fired

    frame = frame.apply(happened, stateful=True, expand=True, metadata=True)
    frame.to_topic(sink, key=lambda command: command["contact"])
    app.run()


if __name__ == "__main__":
    main()
