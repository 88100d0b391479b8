"""One call of the wire format, one event."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.calls import Calls
from services.ingest.client_address import ClientAddress
from services.ingest.errors import IngestError, InvalidEventError
from services.ingest.schemas import to_call, to_event
from shared.clock import HOUR, from_iso
from shared.messages import codec
from shared.messages.event import Event, EventType

NOW = from_iso("2026-03-02T10:00:00Z")


def event(item: object, kind: EventType | None = None, *, sent_at: object = None, **outer: Any) -> Event:
    return to_event(to_call(item, kind), NOW, lambda: "new-id", outer=Calls(items=(), sent_at=sent_at, context=outer))


def refusal(item: object, kind: EventType | None = None) -> str:
    with pytest.raises(InvalidEventError) as caught:
        event(item, kind)
    return caught.value.code


def a_track(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Product Added", "userId": "u1", **fields}


def test_nobody_can_say_that_an_event_is_one_of_ours() -> None:
    """Those need no consent to tracking and leave no history."""
    said: dict[str, Any] = {"kikkake_hops": 1, "kikkake_hops_since": NOW, "locale": "ja"}
    assert {"locale": "ja"} == event(a_track(context=said)).context
    assert {"locale": "ja"} == event(a_track(), **said).context


def test_a_browser_call_becomes_an_event() -> None:
    """What analytics-next really sends."""
    call = {
        "timestamp": "2026-03-02T09:59:58.393Z",
        "sentAt": "2026-03-02T09:59:58.424Z",
        "integrations": {"Segment.io": True},
        "event": "Product Added",
        "type": "track",
        "properties": {"product_id": "p1", "price": 9.5},
        "context": {"locale": "en-US"},
        "messageId": "ajs-next-1795303628393-d331",
        "userId": "u1",
        "anonymousId": "57f1",
        "writeKey": "WK",
        "_metadata": {},
    }
    expected = Event(
        message_id="ajs-next-1795303628393-d331",
        type="track",
        name="Product Added",
        timestamp=NOW - 31,
        received_at=NOW,
        user_id="u1",
        anonymous_id="57f1",
        properties={"product_id": "p1", "price": 9.5},
        context={"locale": "en-US"},
    )
    assert expected == event(call, "track")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("identify", "Identified"),
        ("page", "Page Viewed"),
        ("screen", "Screen Viewed"),
        ("group", "Group Identified"),
        ("alias", "Alias Created"),
    ],
)
def test_each_type_has_its_name(kind: EventType, name: str) -> None:
    found = event({"userId": "u1", "groupId": "g1", "previousId": "p1"}, kind)
    assert (kind, name) == (found.type, found.name)


def test_the_route_decides_the_type() -> None:
    assert "page" == event(a_track(), "page").type


def test_a_pages_name_and_category_go_into_its_properties() -> None:
    call = {"userId": "u1", "name": "Home", "category": "Shop", "properties": {"category": "own", "title": "T"}}
    assert {"name": "Home", "category": "own", "title": "T"} == event(call, "page").properties


def test_who_names_no_type_is_told_every_one() -> None:
    with pytest.raises(InvalidEventError) as raised:
        event({"userId": "u1", "type": "tick"})
    assert set(get_args(EventType)) == set(re.findall("[a-z]+", str(raised.value))) - {"type", "is", "or"}


def test_ids_may_be_numbers() -> None:
    found = event(a_track(userId=42, anonymousId=7, messageId=9))
    assert ("42", "7", "9") == (found.user_id, found.anonymous_id, found.message_id)


@pytest.mark.parametrize("nobody", [{}, {"userId": None}, {"userId": "", "anonymousId": " "}])
def test_an_event_belongs_to_somebody(nobody: dict[str, Any]) -> None:
    assert "no_user_anon_id" == refusal({"type": "track", "event": "X", **nobody})


@pytest.mark.parametrize(
    "value", [0, "0", "null", "Undefined", " anonymous", "[object Object]", "nan", "a\x00b", "a\nb"]
)
@pytest.mark.parametrize("field", ["userId", "anonymousId"])
def test_an_id_that_everybody_has_is_refused(field: str, value: object) -> None:
    """Or all visitors would become one contact."""
    assert "illegal_distinct_id" == refusal({"type": "track", "event": "X", "userId": "u1", field: value})


def test_the_length_of_ids_is_limited() -> None:
    assert "u" * 200 == event(a_track(userId="u" * 200)).user_id
    assert "id_too_long" == refusal(a_track(userId="u" * 201))
    assert "id_too_long" == refusal(a_track(groupId="u" * 201))
    assert "m" * 100 == event(a_track(messageId="m" * 100)).message_id
    assert "name_too_long" == refusal(a_track(event="e" * 201))


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("text", "invalid_event"),
        (None, "invalid_event"),
        ([], "invalid_event"),
        ({"userId": "u1"}, "invalid_type"),
        ({"userId": "u1", "type": "tick"}, "invalid_type"),
        ({"userId": "u1", "type": 3}, "invalid_event"),
        ({"userId": "u1", "type": "track"}, "no_event_name"),
        ({"userId": "u1", "type": "track", "event": "  "}, "no_event_name"),
        ({"userId": "u1", "type": "track", "event": {"a": 1}}, "invalid_event"),
        (a_track(properties=[1]), "invalid_event"),
        (a_track(userId=True), "invalid_event"),
        (a_track(userId={"a": 1}), "invalid_event"),
        ({"userId": "u1", "type": "alias"}, "no_previous_id"),
        ({"userId": "u1", "type": "group"}, "no_group_id"),
        (a_track(timestamp="yesterday"), "invalid_timestamp"),
        (a_track(timestamp="1960-01-01"), "invalid_timestamp"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_code(call: object, code: str) -> None:
    assert code == refusal(call)


def test_a_refusal_names_the_field_and_not_its_value() -> None:
    """Refusals go to logs and dead letters' reasons."""
    with pytest.raises(InvalidEventError) as caught:
        event(a_track(properties="taro@example.com"))
    assert "$.properties" in caught.value.detail
    assert "taro" not in caught.value.detail


def test_context_traits_belong_to_an_identify() -> None:
    """Rudder's libraries put them there; what is at the top counts more."""
    context = {"traits": {"email": "a@x.jp", "plan": "free"}, "locale": "ja"}
    found = event({"userId": "u1", "traits": {"plan": "pro"}, "context": context}, "identify")
    assert {"email": "a@x.jp", "plan": "pro"} == found.traits
    assert {"locale": "ja"} == found.context
    tracked = event(a_track(context=context))
    assert ({}, context) == (tracked.traits, tracked.context)


def test_the_batchs_context_goes_into_each_item() -> None:
    found = event(a_track(context={"locale": "ja"}), locale="en", timezone="UTC")
    assert {"locale": "ja", "timezone": "UTC"} == found.context


def test_only_a_missing_message_id_is_replaced() -> None:
    assert "m1" == event(a_track(messageId="m1")).message_id
    assert "new-id" == event(a_track(messageId="")).message_id
    assert "new-id" == event(a_track()).message_id


def test_a_message_id_too_long_is_hashed_so_that_its_repeat_is_known() -> None:
    ids = [event(a_track(messageId=text)).message_id for text in ("m" * 101, "m" * 101, "m" * 102)]
    assert (2, {36}) == (len(set(ids)), {len(found) for found in ids})
    assert ids[0] == ids[1]


class TestClientIp:
    """It is the contact's where the contact's own device sent the request, and then only if it is not said."""

    @pytest.mark.parametrize(
        ("client", "context", "kept"),
        [
            (ClientAddress(address="10.0.0.1", fill=True, policy="keep"), {}, {"ip": "10.0.0.1"}),
            (ClientAddress(address="10.0.0.1", fill=True, policy="keep"), {"ip": "10.9.9.9"}, {"ip": "10.9.9.9"}),
            (ClientAddress(address="10.0.0.1", policy="keep"), {}, {}),
            (ClientAddress(address="10.0.0.1", policy="keep"), {"direct": True}, {"direct": True, "ip": "10.0.0.1"}),
            (ClientAddress(address="10.0.0.1", policy="keep"), {"direct": "yes"}, {"direct": "yes"}),
            (ClientAddress(fill=True), {}, {}),
        ],
        ids=["browser", "said", "server", "server-says-direct", "direct-is-true-or-not", "unknown"],
    )
    def test_when_it_is_filled_in(self, client: ClientAddress, context: dict[str, Any], kept: dict[str, Any]) -> None:
        call = to_call(a_track(context=context))
        assert kept == to_event(call, NOW, lambda: "new-id", client=client).context


class TestTime:
    """timestamp = receivedAt - (sentAt - originalTimestamp)."""

    def test_a_clock_that_is_wrong_is_corrected(self) -> None:
        said = a_track(timestamp="1999-01-01T00:00:00Z", sentAt="1999-01-01T00:00:05Z")
        assert NOW - 5_000 == event(said).timestamp

    def test_the_original_timestamp_serves_calls_without_a_timestamp(self) -> None:
        """Rudder's libraries name the time of a call so."""
        said = a_track(originalTimestamp="2026-03-02T09:59:50Z", sentAt="2026-03-02T10:00:00Z")
        assert NOW - 10_000 == event(said).timestamp

    def test_the_time_that_the_caller_names_counts_more(self) -> None:
        """Rudder's Node library sends both: the caller's, and the time of the call as the original one."""
        said = a_track(
            timestamp="2026-03-02T09:00:00Z", originalTimestamp="2026-03-02T09:59:50Z", sentAt="2026-03-02T10:00:00Z"
        )
        assert NOW - HOUR == event(said).timestamp

    def test_the_batchs_sent_at_serves_items_without_one(self) -> None:
        said = a_track(timestamp="2026-03-02T08:00:00Z")
        assert NOW - HOUR == event(said, sent_at="2026-03-02T09:00:00Z").timestamp
        own = {**said, "sentAt": "2026-03-02T08:00:01Z"}
        assert NOW - 1_000 == event(own, sent_at="2026-03-02T09:00:00Z").timestamp

    def test_an_import_keeps_its_age(self) -> None:
        said = a_track(timestamp="2024-03-02T10:00:00Z")
        assert from_iso("2024-03-02T10:00:00Z") == event(said, sent_at="2026-03-02T10:00:00Z").timestamp
        assert from_iso("2024-03-02T10:00:00Z") == event(said).timestamp

    def test_nothing_said_is_now(self) -> None:
        assert NOW == event(a_track(), sent_at="2026-03-02T09:00:00Z").timestamp
        assert NOW == event(a_track(timestamp="")).timestamp

    @pytest.mark.parametrize("said", ["2026-03-03T10:00:00Z", "9999-12-31T23:59:59Z", 10**300])
    def test_the_far_future_is_now(self, said: object) -> None:
        assert NOW == event(a_track(timestamp=said)).timestamp

    @pytest.mark.parametrize("said", [NOW // 1000 - 60, NOW - 60_000, (NOW - 60_000) / 1000])
    def test_numbers_are_seconds_or_milliseconds(self, said: float) -> None:
        assert NOW - 60_000 == event(a_track(timestamp=said)).timestamp

    def test_a_sent_at_that_says_nothing_corrects_nothing(self) -> None:
        assert NOW - HOUR == event(a_track(timestamp="2026-03-02T09:00:00Z", sentAt="now")).timestamp


class TestConsent:
    def test_granted(self) -> None:
        found = event({"userId": "u1", "topic": "news", "channel": "email", "status": "granted"}, "consent")
        assert ("consent", "Consent Granted") == (found.type, found.name)
        assert {"topic": "news", "channel": "email", "status": "granted"} == found.properties

    def test_revoked_for_every_channel(self) -> None:
        found = event({"anonymousId": "a1", "topic": "news", "status": "revoked"}, "consent")
        assert "Consent Revoked" == found.name
        assert found.properties["channel"] is None

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"topic": "news", "status": "maybe"}, "invalid_status"),
            ({"topic": "", "status": "granted"}, "invalid_topic"),
            ({"status": "granted"}, "invalid_event"),
            ({"topic": "news"}, "invalid_event"),
        ],
    )
    def test_half_a_consent_is_none(self, fields: dict[str, str], code: str) -> None:
        assert code == refusal({"userId": "u1", **fields}, "consent")


def test_nobody_forges_the_engines_own_records() -> None:
    """Whatever a call says of itself, an Event comes of it."""
    forged = a_track(kind="outcome", command_id="c1", status="sent", contact="u:victim", number=1, order="stop")
    assert isinstance(codec.EVENTS.decode(codec.encode(event(forged))), Event)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["type", "event", "userId", "anonymousId", "messageId", "properties", "context", "traits", "timestamp", "sentAt"]
)


# The machine that runs this may be busy; what is tested is not the time.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(fields, json_values))
def test_whatever_arrives_is_an_event_or_a_refusal(item: dict[str, Any]) -> None:
    """And an event can be read back as it was written."""
    item.setdefault("userId", "u1")
    try:
        found = event({"event": "X", **item}, "track")
    except IngestError:
        return
    assert found == codec.EVENTS.decode(codec.encode(found))
