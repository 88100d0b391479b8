"""The baseline: a plain Faust agent with a Table, as its documentation has it; one command for each event.

``python -m tests.faults.baseline_agent BOOTSTRAP NAME INSTANCE FOLDER worker -l error --web-port PORT``
"""

from __future__ import annotations

import sys
from typing import Any

import faust

PARTITIONS = 4


class Act(faust.Record, serializer="json"):
    """What a contact did."""

    message_id: str
    contact: str


class Command(faust.Record, serializer="json"):
    """What is to be sent: the contact's ``seq``-th."""

    message_id: str
    contact: str
    seq: int


def build(bootstrap: str, name: str, instance: str, folder: str) -> faust.App:
    """Return the application: a count per contact in a Table, a command per event with the count as its number."""
    app = faust.App(
        name,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=f"{folder}/{instance}",
        topic_partitions=PARTITIONS,
        # Kinder than its defaults of 60 s: with those each kill stops its partitions for a minute.
        broker_session_timeout=6,
        broker_heartbeat_interval=1,
        consumer_group_instance_id=instance,
    )
    acts: Any = app.topic(f"{name}-acts", value_type=Act, partitions=PARTITIONS)
    commands: Any = app.topic(f"{name}-commands", value_type=Command, partitions=PARTITIONS)
    counts: Any = app.Table(f"{name}-counts", default=int, partitions=PARTITIONS)

    @app.agent(acts)
    async def count(stream: Any) -> None:
        async for act in stream:
            counts[act.contact] += 1
            command = Command(message_id=act.message_id, contact=act.contact, seq=counts[act.contact])
            await commands.send(key=act.contact, value=command)

    return app


if __name__ == "__main__":
    made = build(*sys.argv[1:5])
    sys.argv[1:5] = []
    made.main()
