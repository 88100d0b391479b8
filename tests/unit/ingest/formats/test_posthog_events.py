"""One event of PostHog's, and the calls that say the same."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.errors import InvalidEventError
from services.ingest.formats.posthog_events import to_calls


def calls(event: str, distinct_id: object = "u1", **fields: Any) -> list[dict[str, Any]]:
    """Return the calls without what all of them have."""
    properties = fields.pop("properties", {})
    made = to_calls(
        {"event": event, "distinct_id": distinct_id, "properties": properties, **fields}, sent_at=fields.get("sent")
    )
    return [{name: value for name, value in call.items() if name not in COMMON} for call in made]


COMMON = ("timestamp", "sentAt", "context", "messageId")


def one(event: str, **fields: Any) -> dict[str, Any]:
    [call] = calls(event, **fields)
    return call


class TestWhose:
    """A distinct_id is a visitor's where the event says so, and a user's everywhere else."""

    @pytest.mark.parametrize(
        ("properties", "whose"),
        [
            ({"$is_identified": False, "$device_id": "a1", "$process_person_profile": True}, "anonymousId"),
            ({"$is_identified": True, "$device_id": "a1", "$process_person_profile": True}, "userId"),
            ({"$is_identified": True, "$process_person_profile": False}, "userId"),
            ({"$process_person_profile": False}, "anonymousId"),
            ({"$process_person_profile": True}, "userId"),
            ({}, "userId"),
        ],
        ids=["browser-visitor", "browser-user", "browser-never-profiles", "server-nobody", "server-profile", "server"],
    )
    def test_the_event_says(self, properties: dict[str, Any], whose: str) -> None:
        assert "d1" == one("X", distinct_id="d1", properties=properties)[whose]

    def test_the_newer_form_has_it_among_the_options(self) -> None:
        assert "d1" == one("X", distinct_id="d1", options={"process_person_profile": False})["anonymousId"]

    def test_a_browser_has_the_id_among_the_properties(self) -> None:
        found = one("X", distinct_id=None, properties={"distinct_id": "d1", "token": "WK", "plan": "pro"})
        assert {"type": "track", "event": "X", "userId": "d1", "properties": {"plan": "pro"}} == found


class TestIdentify:
    def test_a_visitor_becomes_a_user(self) -> None:
        properties = {"$anon_distinct_id": "a1", "$is_identified": True, "distinct_id": "u1"}
        found = one("$identify", properties=properties, **{"$set": {"email": "a@x"}, "$set_once": {"plan": "free"}})
        expected = {"type": "identify", "userId": "u1", "anonymousId": "a1"}
        assert {**expected, "traits": {"email": "a@x"}, "traitsOnce": {"plan": "free"}} == found

    def test_a_server_has_the_traits_among_the_properties(self) -> None:
        found = one("$identify", properties={"$set": {"plan": "pro"}})
        assert {"type": "identify", "userId": "u1", "anonymousId": None, "traits": {"plan": "pro"}} == found

    def test_set_is_an_identify(self) -> None:
        assert {"type": "identify", "userId": "u1", "traits": {"plan": "pro"}} == one(
            "$set", **{"$set": {"plan": "pro"}}
        )

    def test_unset_makes_a_trait_nothing(self) -> None:
        assert {"plan": None, "age": 6} == one("$set", **{"$set": {"age": 6}, "$unset": ["plan"]})["traits"]

    def test_an_event_that_sets_traits_is_two_calls_in_their_order(self) -> None:
        first, second = to_calls(
            {"event": "X", "distinct_id": "u1", "uuid": "id-1", "$set": {"age": 6}, "properties": {"a": 1}},
            sent_at=None,
        )
        assert ("identify", "id-1:set", "u1", {"age": 6}) == tuple(
            first[name] for name in ("type", "messageId", "userId", "traits")
        )
        assert ("track", "id-1", "u1", {"a": 1}) == tuple(
            second[name] for name in ("type", "messageId", "userId", "properties")
        )


class TestAlias:
    """The kept id is the distinct_id, and the other the alias, but for who says that the distinct_id is a visitor."""

    @pytest.mark.parametrize(
        ("properties", "user", "visitor"),
        [
            ({"$lib": "posthog-node"}, "d1", "x1"),
            ({"$lib": "posthog-python"}, "x1", "d1"),
            ({"$lib": "web", "$is_identified": False}, "x1", "d1"),
            ({"$lib": "web", "$is_identified": True}, "d1", "x1"),
        ],
    )
    def test_who_is_the_user(self, properties: dict[str, Any], user: str, visitor: str) -> None:
        found = one("$create_alias", distinct_id="d1", properties={"alias": "x1", **properties})
        assert {"type": "alias", "userId": user, "previousId": visitor} == found

    def test_a_header_says_it_where_the_event_does_not(self) -> None:
        item = {"event": "$create_alias", "distinct_id": "a1", "properties": {"alias": "u1"}}
        [found] = to_calls(item, sent_at=None, library="posthog-python")
        assert ("u1", "a1") == (found["userId"], found["previousId"])


class TestGroups:
    GROUP: dict[str, Any] = {"$group_type": "company", "$group_key": "c1", "$group_set": {"name": "Kettles"}}

    def test_a_group_has_its_traits(self) -> None:
        found = one("$groupidentify", properties=self.GROUP)
        assert ("group", "c1", {"name": "Kettles"}, "u1") == tuple(
            found[name] for name in ("type", "groupId", "traits", "userId")
        )

    def test_a_groups_own_id_is_nobodys(self) -> None:
        """posthog-node makes one up where the call names no user: it would be a contact that is none."""
        assert "userId" not in one("$groupidentify", distinct_id="$company_c1", properties=self.GROUP)


class TestPages:
    def test_a_pageview_is_a_page_with_segments_names_and_its_own(self) -> None:
        own = {
            "$current_url": "https://x.jp/k?a=1",
            "$pathname": "/k",
            "$referrer": "$direct",
            "title": "K",
            "$os": "L",
        }
        found = one("$pageview", properties=own)
        named = {"url": "https://x.jp/k?a=1", "path": "/k", "referrer": "$direct"}
        assert {"type": "page", "userId": "u1", "properties": {**own, **named}} == found

    def test_a_screen_has_its_name(self) -> None:
        found = one("$screen", properties={"$screen_name": "Home"})
        assert ("screen", "Home") == (found["type"], found["name"])

    def test_the_context_is_what_segments_call_would_have(self) -> None:
        properties = {
            "$lib": "web",
            "$lib_version": "1.449.2",
            "$current_url": "https://x.jp/k",
            "$timezone": "Asia/Tokyo",
            "$browser_language": "ja",
            "$raw_user_agent": "Mozilla/5.0",
            "$ip": "10.0.0.1",
            "utm_source": "mail",
        }
        [found] = to_calls({"event": "X", "distinct_id": "u1", "properties": properties}, sent_at=None)
        expected = {
            "library": {"name": "web", "version": "1.449.2"},
            "page": {"url": "https://x.jp/k"},
            "campaign": {"source": "mail"},
            "locale": "ja",
            "timezone": "Asia/Tokyo",
            "userAgent": "Mozilla/5.0",
            "ip": "10.0.0.1",
        }
        assert expected == found["context"]
        assert "$ip" not in found["properties"]


class TestTimeAndIds:
    @pytest.mark.parametrize(
        ("fields", "sent_at"),
        [
            ({}, "outer"),
            ({"sent_at": "own"}, "own"),
            ({"properties": {"$ignore_sent_at": True}}, None),
            ({"options": {"disable_skew_correction": True}}, None),
            ({"options": {"disable_skew_correction": False}}, "outer"),
        ],
    )
    def test_when_it_was_sent(self, fields: dict[str, Any], sent_at: str | None) -> None:
        [found] = to_calls({"event": "X", "distinct_id": "u1", "timestamp": "t", **fields}, sent_at="outer")
        assert ("t", sent_at) == (found["timestamp"], found["sentAt"])

    @pytest.mark.parametrize(
        ("fields", "message_id"),
        [({"uuid": "id-1"}, "id-1"), ({"properties": {"$insert_id": "id-2"}}, "id-2"), ({}, None)],
    )
    def test_the_uuid_is_the_message_id(self, fields: dict[str, Any], message_id: str | None) -> None:
        assert message_id == to_calls({"event": "X", "distinct_id": "u1", **fields}, sent_at=None)[0]["messageId"]


@pytest.mark.parametrize("item", [None, "X", [], {"event": 1}, {"event": "X", "properties": []}, {"$set": 1}])
def test_what_is_no_event_is_refused_and_its_values_not_shown(item: object) -> None:
    with pytest.raises(InvalidEventError) as caught:
        to_calls(item, sent_at=None)
    assert "invalid_event" == caught.value.code
