"""Whatever arrives, by whatever route, becomes records that can be read back, or a refusal of ours."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.errors import IngestError
from services.ingest.formats.base import Arrived, Route
from services.ingest.keys import Source
from services.ingest.plan import Sender, plan_calls
from services.ingest.routes import FORMATS
from shared.messages import codec

KINDS = {
    (route.format, route.decode, route.answer, "batch" in route.paths[0]): route
    for wire in FORMATS
    for route in wire.ROUTES
}
"""One route of each kind: those of one kind differ in the type of their call alone."""
ANYONE = Sender(source=Source(name="any"))
NOW = 1_772_445_600_000
# The machine that runs this may be busy; what is tested is not the time.
UNHURRIED = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])

every_route = pytest.mark.parametrize("route", KINDS.values(), ids=[it.paths[0] for it in KINDS.values()])

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
WORDS = """type event name batch userId anonymousId previousId groupId messageId properties traits traitsOnce context
    timestamp originalTimestamp sentAt topic status channel uuid distinct_id options sent_at $set $set_once $unset
    $identify $create_alias $groupidentify alias $group_type
    $group_key $group_set $is_identified $anon_distinct_id $lib"""
names = st.sampled_from(WORDS.split())
values = scalars | names
json = st.recursive(
    values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(), inner, max_size=5),
    max_leaves=12,
)


def taken(route: Route, raw: bytes, query: dict[str, str]) -> bool:
    """Return whether the request was taken; what it then wrote can be read, and its answer is JSON."""
    try:
        body = route.decode(raw, query, 1024 * 1024)
        arrived = Arrived(body.value, {}, query)
        plan = plan_calls(
            route.read(arrived), body.size, ANYONE, received_at=NOW, new_message_id=lambda: "new", screen=lambda it: it
        )
    except IngestError:
        return False
    for output in plan.outputs:
        (codec.EVENTS if output.topic == "events" else codec.DEAD_LETTERS).decode(output.value)
    assert isinstance(orjson.loads(route.answer(arrived, plan)), dict)
    return True


@every_route
@UNHURRIED
@given(st.dictionaries(names, json, max_size=6) | st.lists(json, max_size=4), st.booleans())
def test_any_json(route: Route, value: Any, squeezed: bool) -> None:
    raw = orjson.dumps(value)
    taken(route, gzip.compress(raw) if squeezed else raw, {"data": raw.decode()})


@every_route
@UNHURRIED
@given(st.binary(max_size=60), st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3))
def test_any_bytes(route: Route, raw: bytes, query: dict[str, str]) -> None:
    for start in (b"", b"data=", b"\x1f\x8b", b"x\x9c", b"{"):
        taken(route, start + raw, {**query, "data": raw.decode(errors="replace")})


@every_route
def test_the_fuzzer_gets_past_the_door(route: Route) -> None:
    """What it makes of these names is taken at least when it is right."""
    good = {"userId": "u1", "distinct_id": "u1", "event": "X", "groupId": "g", "previousId": "p", "type": "track"}
    good |= {"topic": "t", "status": "granted"}
    raw = orjson.dumps({**good, "batch": [good]})
    assert taken(route, raw, {"data": raw.decode()})
