"""The short way of an event: whatever it takes, the other way makes the same of; what somebody reads, it leaves."""

from __future__ import annotations

import json
from typing import Any, get_args

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.client_address import UNKNOWN, ClientAddress
from services.ingest.errors import IngestError
from services.ingest.formats import segment
from services.ingest.formats.base import Arrived, Route
from services.ingest.keys import Source
from services.ingest.limits import Limits
from services.ingest.plan import Plan, Sender, plan_calls
from services.ingest.screening import Screening, Standards
from services.ingest.unread import Passes, _Unread, shortcut
from shared.catalogue.model import Catalogue, EventKind
from shared.journeys.workspace import Workspace
from shared.messages import codec
from shared.messages.event import HOPS, HOPS_SINCE, Event, EventType
from shared.metrics import Metrics
from tests.unit.ingest.sites import NOW, a_track

TRACK = next(route for route in segment.ROUTES if "/v1/track" in route.paths)
PAGE_CALL = next(route for route in segment.ROUTES if "/v1/page" in route.paths)
BATCH = next(route for route in segment.ROUTES if "/v1/batch" in route.paths)
ANYONE = Source(name="any")
PAGE = ClientAddress(address="192.0.2.7", fill=True)
SERVER = ClientAddress(address="192.0.2.7")
SCREENING = Screening(Standards(Catalogue(aliases={"Old": "New"})), Metrics(), lambda: "random")
WORDS = [
    "event",
    "type",
    "userId",
    "anonymousId",
    "messageId",
    "properties",
    "traits",
    "traitsOnce",
    "context",
    "timestamp",
    "sentAt",
    "previousId",
    "ip",
    "consent",
    "direct",
    HOPS,
    HOPS_SINCE,
    "categoryPreferences",
    "tracking",
    "batch",
    "historical",
    "integrations",
    "name",
    "category",
    "groupId",
]


def planned(route: Route, raw: bytes, *, short: bool, client: ClientAddress = UNKNOWN) -> Plan | str:
    """Return what becomes of a body by the short way or by the other, the code of a refusal included."""
    try:
        calls = route.unread(raw) if short and route.unread else None
        calls = calls or route.read(Arrived(route.decode(raw, {}, 1024 * 1024).value, {}, {}))
        sender = Sender(source=ANYONE, client=client)
        return plan_calls(
            calls,
            len(raw),
            sender,
            received_at=NOW,
            new_message_id=lambda: "new",
            screen=SCREENING,
            passes=SCREENING.passes,
        )
    except IngestError as error:
        return error.code


def records(plan: Plan | str) -> object:
    """Return all that can be told of a plan by whoever reads what it writes."""
    if isinstance(plan, str):
        return plan
    return (
        [
            (it.key, (codec.EVENTS if it.topic == "events" else codec.DEAD_LETTERS).decode(it.value))
            for it in plan.outputs
        ],
        plan.accepted,
        plan.items,
        plan.rejections,
    )


def output_of(raw: bytes, *, client: ClientAddress = UNKNOWN, passes: Passes = SCREENING.passes, **source: Any) -> Any:
    calls = BATCH.unread(b'{"batch": [' + raw + b"]}") if BATCH.unread else None
    assert calls is not None
    short_way = shortcut(
        calls,
        Source(name="any", **source),
        client,
        received_at=NOW,
        new_message_id=lambda: "new",
        passes=passes,
    )
    return short_way(raw)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"properties": {"price": 7800, "paid": 1.5, "of": ["a", {"b": None}]}, "context": {"locale": "ja-JP"}},
        {"properties": {"name": "鉄瓶", "emoji": "🍵"}, "messageId": "m" * 101, "anonymousId": "a1"},
        {"timestamp": "2026-03-02T01:00:00Z", "sentAt": "2026-03-02T01:00:05Z"},
        {"originalTimestamp": "2026-03-02T01:00:00+09:00", "traits": {"plan": "tea"}, "traitsOnce": {"from": "ad"}},
        {"context": {}, "properties": {}},
        {"previousId": "p", "groupId": "g", "name": "no page's"},
        {"context": {"traits": {"plan": "tea"}}},
        {"type": "identify", "traits": {"plan": "tea"}, "context": {"locale": "ja-JP"}},
        {"type": "page"},
        {"type": "page", "name": "Kettles", "category": "Shop", "event": 5 * "x"},
        {"type": "page", "name": "Kettles", "properties": {"path": "/kettles", "name": None}},
        {"type": "screen", "name": "鉄瓶", "category": "", "properties": {"category": "own"}},
        {"type": "group", "groupId": "g1", "traits": {"name": "Tea club"}},
        {"type": "alias", "previousId": "a1"},
    ],
)
@pytest.mark.parametrize("client", [UNKNOWN, SERVER, PAGE])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_plain_call_takes_the_short_way_to_the_same_record(
    fields: dict[str, Any], ascii_only: bool, client: ClientAddress
) -> None:
    raw = json.dumps({"type": "track", "userId": "u1", "event": "X", **fields}, ensure_ascii=ascii_only).encode()
    assert output_of(raw, client=client) is not None
    batch = b'{"batch": [' + raw + b"]}"
    other, short = (planned(BATCH, batch, short=short, client=client) for short in (False, True))
    assert records(other) == records(short)
    assert isinstance(short, Plan)
    assert 1 == short.accepted


@pytest.mark.parametrize(
    ("fields", "client"),
    [
        ({"context": {"ip": "192.0.2.1"}}, UNKNOWN),
        ({"context": {"ip": {}}}, UNKNOWN),
        ({"context": {"direct": True}}, SERVER),
        ({"context": {"consent": {"categoryPreferences": {"tracking": False}}}}, UNKNOWN),
        ({"context": {HOPS: 3}}, UNKNOWN),
        ({"context": {HOPS_SINCE: 3}}, UNKNOWN),
        ({"context": {"direct": True}}, PAGE),
        ({"context": {"ip": "192.0.2.1"}}, PAGE),
        ({"type": "identify", "context": {"traits": {"plan": "tea"}}}, UNKNOWN),
        ({"type": "group"}, UNKNOWN),
        ({"type": "alias", "previousId": " "}, UNKNOWN),
        ({"type": "alias", "previousId": "null"}, UNKNOWN),
        ({"type": "track", "groupId": "null"}, UNKNOWN),
        ({"type": "consent", "topic": "news", "status": "granted"}, UNKNOWN),
        ({"type": "outcome"}, UNKNOWN),
        ({"type": None}, UNKNOWN),
        ({"event": "Old"}, UNKNOWN),
        ({"event": ""}, UNKNOWN),
        ({"userId": "null"}, UNKNOWN),
        ({"userId": 5}, UNKNOWN),
        ({"previousId": 5}, UNKNOWN),
        ({"type": "page", "name": 5}, UNKNOWN),
        ({"timestamp": 1_772_445_600}, UNKNOWN),
        ({"timestamp": "yesterday"}, UNKNOWN),
        ({"properties": [1]}, UNKNOWN),
        ({"context": "none"}, UNKNOWN),
        ({"properties": {"n": 10**30}}, UNKNOWN),
        ({"properties": {"n": 2**64}}, UNKNOWN),
        ({"properties": {"long": "x" * 20_000}}, UNKNOWN),
        ({"properties": {"deep": json.loads("[" * 33 + "]" * 33)}}, UNKNOWN),
        ({"properties": {str(number): 1 for number in range(1_001)}}, UNKNOWN),
    ],
)
def test_what_somebody_reads_or_refuses_takes_the_other_way(fields: dict[str, Any], client: ClientAddress) -> None:
    raw = json.dumps({"type": "track", "userId": "u1", "event": "X", **fields}).encode()
    assert output_of(raw, client=client) is None
    batch = b'{"batch": [' + raw + b"]}"
    other, short = (planned(BATCH, batch, short=short, client=client) for short in (False, True))
    assert records(other) == records(short)


@pytest.mark.parametrize(
    "number", ["1e400", "-1e999", "1E+400", "123456789012345678901234567890", "01", "1.", "NaN", "1e5", "-0", "1e300"]
)
def test_a_number_is_written_only_if_every_reader_takes_it(number: str) -> None:
    raw = orjson.dumps(a_track(properties={"n": "?"})).replace(b'"?"', number.encode())
    assert records(planned(TRACK, raw, short=False)) == records(planned(TRACK, raw, short=True))


@pytest.mark.parametrize("text", [b"\xff", b"\xed\xa0\x80", b"\x01", rb"\ud800", rb"\ud83c\udf75", rb"\q", b"\xc0\x80"])
@pytest.mark.parametrize("route", [TRACK, BATCH], ids=["track", "batch"])
def test_a_text_is_written_only_if_every_reader_takes_it(route: Route, text: bytes) -> None:
    item = orjson.dumps(a_track(properties={"t": "?"})).replace(b"?", text)
    raw = item if route is TRACK else b'{"batch": [' + item + b"]}"
    assert records(planned(route, raw, short=False)) == records(planned(route, raw, short=True))


def test_what_a_name_of_the_context_is_written_with_does_not_hide_it() -> None:
    raw = rb'{"event": "X", "userId": "u1", "context": {"\u0069p": "192.0.2.1"}}'
    plan = planned(TRACK, raw, short=True)
    assert isinstance(plan, Plan)
    event = codec.EVENTS.decode(plan.outputs[0].value)
    assert isinstance(event, Event)
    assert {"ip": "192.0.2.0"} == event.context


def test_of_members_of_one_name_the_last_counts_by_both_ways() -> None:
    raw = b'{"type": "track", "event": "X", "userId": "u1", "traits": {"n": 1, "n": 2}, "traits": {"n": 3, "n": 4}}'
    assert output_of(raw) is not None
    assert records(planned(TRACK, raw, short=False)) == records(planned(TRACK, raw, short=True))


def test_a_batch_goes_both_ways_in_its_order() -> None:
    items = [a_track(), {"type": "identify", "userId": "u2"}, {"type": "track"}, 5, a_track(event="Y"), None]
    raw = orjson.dumps({"batch": items, "sentAt": "2026-03-02T01:00:00Z", "historical": True, "writeKey": "WK"})
    plan = planned(BATCH, raw, short=True)
    assert records(planned(BATCH, raw, short=False)) == records(plan)
    assert isinstance(plan, Plan)
    assert (3, [2, 3, 5]) == (plan.accepted, [it.index for it in plan.rejections])


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"data=e30=", b"\xef\xbb\xbf{}", b'{"batch": 5}', b'{"batch": []} x']
)
def test_what_is_no_batch_is_refused_as_ever(raw: bytes) -> None:
    assert records(planned(BATCH, raw, short=False)) == records(planned(BATCH, raw, short=True))


def test_a_source_that_may_not_track_gets_its_refusal_by_the_other_way() -> None:
    assert output_of(orjson.dumps(a_track()), allow=frozenset({"identify"})) is None


def test_an_event_whose_limit_is_near_is_measured_by_the_other_way() -> None:
    assert output_of(orjson.dumps(a_track()), limits=Limits(event_bytes=100)) is None


@pytest.mark.parametrize(
    ("name", "user_id", "passes"),
    [("X", "u1", True), ("Judged", "u1", False), ("Old", "u1", False), ("X", "test-1", False)],
)
def test_only_what_the_workspace_says_nothing_of_passes(name: str, user_id: str, passes: bool) -> None:
    catalogue = Catalogue(events={"Judged": EventKind(mode="warn")}, aliases={"Old": "New"})
    screening = Screening(Standards(catalogue, Workspace(banned_ids=("test-*",))), Metrics(), lambda: "random")
    assert passes is screening.passes(name, user_id, None)
    assert passes is screening.passes(name, None, user_id)
    strict = Screening(Standards(Catalogue(mode="warn")), Metrics(), lambda: "random")
    assert strict.passes("X", "u1", None) is False


def test_the_record_has_the_fields_of_an_event() -> None:
    assert set(Event.__struct_fields__) == set(_Unread.__struct_fields__)
    assert (Event.__struct_config__.tag, Event.__struct_config__.tag_field) == (
        _Unread.__struct_config__.tag,
        _Unread.__struct_config__.tag_field,
    )


scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8)
)
names = st.sampled_from(WORDS) | st.text(max_size=4)
inner = st.recursive(
    scalars | names,
    lambda it: st.lists(it, max_size=3) | st.dictionaries(names, it, max_size=4),
    max_leaves=8,
)
objects = st.dictionaries(names, inner, max_size=4)
times = st.sampled_from(["2026-03-02T01:00:00Z", "2026-03-02", "soon", "", "1960-01-01T00:00:00Z"])
near = st.fixed_dictionaries(
    {"type": st.sampled_from([*get_args(EventType), ""]), "event": st.sampled_from(["X", "Old", " Y "])},
    optional={
        "name": st.text(max_size=3),
        "category": st.text(max_size=3),
        "previousId": st.text(max_size=3),
        "groupId": st.text(max_size=3),
        "userId": st.text(max_size=5) | st.just("u1"),
        "anonymousId": st.just("a1"),
        "properties": objects,
        "traits": objects,
        "traitsOnce": objects,
        "context": objects,
        "timestamp": times,
        "sentAt": times | st.integers(0, 2**40),
        "messageId": st.text(max_size=5),
        "integrations": inner,
    },
)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(near | inner, max_size=4), objects, st.booleans(), st.sampled_from([UNKNOWN, PAGE, SERVER]), st.booleans()
)
def test_both_ways_make_the_same_of_anything(
    items: list[Any], around: dict[str, Any], ascii_only: bool, client: ClientAddress, spread: bool
) -> None:
    def written(value: object) -> bytes:
        return json.dumps(value, ensure_ascii=ascii_only, indent=1 if spread else None).encode()

    single = [(route, item) for route in (TRACK, PAGE_CALL) for item in items]
    for route, value in [(BATCH, {**around, "batch": items}), *single]:
        try:
            raw = written(value)
        except UnicodeEncodeError:
            continue
        other, short = (planned(route, raw, short=short, client=client) for short in (False, True))
        assert records(other) == records(short)
