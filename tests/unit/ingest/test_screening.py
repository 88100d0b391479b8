"""What a workspace says of events at the door: names, ids, shape, consent to tracking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.ingest.keys import KeyRing, Keys, Source, WriteKey
from services.ingest.screening import Standards, load_standards
from shared.catalogue.model import Catalogue, EventKind
from shared.catalogue.reader import standard
from shared.journeys.faults import JourneyFaultsError
from shared.journeys.model import Tracking
from shared.journeys.workspace import Workspace
from shared.messages import codec
from shared.messages.dead_letter import DeadLetter
from shared.messages.event import Anonymised, Event
from tests.unit.ingest.sites import NOW, Site, a_track

HOUR = 3_600_000
NOTHING = Catalogue()
KETTLE = EventKind(properties={"litres": "number"}, required=("litres",))


def held_to(catalogue: Catalogue = NOTHING, **workspace: Any) -> Site:
    return Site(standards=Standards(standard().joined(catalogue), Workspace(**workspace)))


def consenting(name: str, *, allowed: bool, **fields: Any) -> dict[str, Any]:
    said = {"consent": {"categoryPreferences": {"tracking": allowed, "Advertising": not allowed}}, "ip": "x"}
    return a_track(event=name, context=said, **fields)


def anonymised(site: Site) -> list[Anonymised]:
    found = [codec.EVENTS.decode(output.value) for output in site.publisher.outputs if output.topic == "events"]
    return [record for record in found if isinstance(record, Anonymised)]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Completed Order", "Order Completed"),
        ("Viewed Product Category", "Product List Viewed"),
        ("Started Order", "Checkout Started"),
        ("Email Link Clicked", "Message Clicked"),
        ("Email Marked as Spam", "Message Complained"),
        ("Kettle Boiled", "Kettle Boiled"),
    ],
)
def test_another_name_of_an_event_is_written_as_its_own(site: Site, said: str, name: str) -> None:
    assert 200 == site.post("/v1/track", a_track(event=said, properties={"id": 5})).status_code
    [event] = site.events
    assert (name, {"id": 5}) == (event.name, event.properties)


def test_a_call_that_is_rejected_gets_a_400_that_says_what_is_wrong() -> None:
    site = held_to(Catalogue(events={"Kettle Boiled": KETTLE}, mode="reject"))
    answer = site.post("/v1/track", a_track(event="Kettle Boiled", properties={"litres": "s3cret"}))
    assert (400, "invalid_properties") == (answer.status_code, answer.json()["code"])
    assert "Kettle Boiled: litres: expected number" == answer.json()["message"]
    assert ([], ["invalid_properties"]) == (site.events, [letter.reason for letter in site.letters])
    assert 1 == site.count("catalogue_doubts_total", event="Kettle Boiled", reason="invalid_properties")
    assert 1 == site.count("events_rejected_total", reason="invalid_properties")


def test_in_a_batch_only_what_is_rejected_is_set_aside() -> None:
    site = held_to(Catalogue(events={"Kettle Boiled": KETTLE}, mode="reject"))
    items = [
        a_track(event="Kettle Boiled", properties={"litres": 1}),
        a_track(event="Kettle Boiled"),
        a_track(event="Kettle Broke"),
        a_track(event="Order Completed", properties={"total": 5, "of": "our own"}),
    ]
    answer = site.post("/v1/batch", {"batch": items}).json()
    assert [(1, "invalid_properties"), (2, "unknown_event")] == [(it["index"], it["code"]) for it in answer["errors"]]
    assert [{"litres": 1}, {"total": 5, "of": "our own"}] == [event.properties for event in site.events]
    letters = [codec.DEAD_LETTERS.decode(it.value) for it in site.publisher.outputs if it.topic == "events.dlq"]
    assert ["invalid_properties", "unknown_event"] == [letter.reason for letter in letters]
    assert all(isinstance(letter, DeadLetter) for letter in letters)


def test_a_warning_takes_the_event_and_counts_it() -> None:
    site = held_to(Catalogue(events={"Kettle Boiled": KETTLE}, mode="warn"))
    items = [a_track(event="Kettle Boiled"), a_track(event="Kettle Broke"), a_track(event="Kettle Burst")]
    assert {"success": True} == site.post("/v1/batch", {"batch": items}).json()
    assert 3 == len(site.events)
    assert 1 == site.count("catalogue_doubts_total", event="Kettle Boiled", reason="invalid_properties")
    assert 2 == site.count("catalogue_doubts_total", event="", reason="unknown_event")


def test_traits_of_identify_are_held_to_the_catalogue_and_consent_to_nothing() -> None:
    site = held_to(Catalogue(traits={"kettles": "integer"}, mode="reject"))
    for field in ("traits", "traitsOnce"):
        refused = site.post("/v1/identify", {"userId": "u1", field: {"kettles": "two"}})
        assert "invalid_traits" == refused.json()["code"]
    assert 200 == site.post("/v1/identify", {"userId": "u1", "traits": {"kettles": 2, "cups": "x"}}).status_code
    said = {"userId": "u1", "topic": "news", "status": "revoked"}
    assert 200 == site.post("/v1/consent", said).status_code


def test_nor_does_it_leave_a_dead_letter_when_it_is_wrong_besides() -> None:
    site = held_to(banned_ids=("test-*",))
    wrong = {"timestamp": "soon"}
    items = [consenting("X", allowed=False, **wrong), consenting("X", allowed=False, userId="test-1")]
    assert {"success": True} == site.post("/v1/batch", {"batch": items}).json()
    shared = {"batch": [a_track(**wrong)], "context": consenting("X", allowed=False)["context"]}
    assert {"success": True} == site.post("/v1/batch", shared).json()
    assert [] == site.publisher.outputs
    assert (3, 0) == (site.count("events_untracked_total", done="dropped"), len(site.letters))


def test_what_needs_no_consent_and_is_wrong_is_set_aside() -> None:
    site = held_to(tracking=Tracking(exempt=("Order Completed",)))
    order = consenting("Completed Order", allowed=False, timestamp="soon")
    choice = {**consenting("X", allowed=False), "type": "consent", "topic": "news", "status": "maybe"}
    tracked = consenting("X", allowed=True, timestamp="soon")
    site.post("/v1/batch", {"batch": [order, choice, tracked, "none"]})
    assert ["invalid_timestamp", "invalid_status", "invalid_timestamp", "invalid_event"] == [
        letter.reason for letter in site.letters
    ]


def test_an_event_that_may_not_be_tracked_by_its_own_word_leaves_nothing() -> None:
    site = held_to()
    answer = site.post("/v1/batch", {"batch": [consenting("X", allowed=False), consenting("Y", allowed=True)]})
    assert (200, {"success": True}) == (answer.status_code, answer.json())
    assert ["Y"] == [event.name for event in site.events]
    assert 1 == len(site.publisher.outputs)
    assert (1, 1) == (site.count("events_untracked_total", done="dropped"), site.count("events_accepted_total"))
    alone = site.post("/v1/track", consenting("X", allowed=False))
    assert (200, {"success": True}, 1) == (alone.status_code, alone.json(), len(site.publisher.outputs))


def test_an_anonymised_event_keeps_its_name_its_hour_and_what_the_workspace_names() -> None:
    site = held_to(tracking=Tracking(untracked="anonymise", keep=("price", "stock")))
    call = consenting("Product Viewed", allowed=False, properties={"price": 5, "email": "aki@shop.example"})
    assert 200 == site.post("/v1/track", {**call, "messageId": "m1"}).status_code
    [output] = site.publisher.outputs
    [record] = anonymised(site)
    assert Anonymised(id="id-1", name="Product Viewed", hour=NOW - NOW % HOUR, properties={"price": 5}) == record
    assert (b"id-1", None) == (output.key, output.partition)
    assert not any(word in (output.value or b"") for word in (b"u1", b"m1", b"aki", b"ip"))


def test_who_somebody_is_cannot_be_anonymised() -> None:
    site = held_to(tracking=Tracking(untracked="anonymise"))
    call = {"userId": "u1", "traits": {"email": "a"}, "context": consenting("X", allowed=False)["context"]}
    assert 200 == site.post("/v1/identify", call).status_code
    assert [] == site.publisher.outputs


@pytest.mark.parametrize("name", ["Order Completed", "Email Bounced", "Message Complained", "Unsubscribed"])
def test_what_is_needed_is_taken_whatever_the_contact_says(name: str) -> None:
    site = held_to(tracking=Tracking(exempt=("Order Completed",)))
    assert 200 == site.post("/v1/track", consenting(name, allowed=False)).status_code
    assert 1 == len(site.events)


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"consent": None},
        {"consent": {"categoryPreferences": []}},
        {"consent": {"categoryPreferences": {"tracking": "no"}}},
        {"consent": {"categoryPreferences": {"Advertising": False}}},
    ],
)
def test_what_states_nothing_is_left_to_the_evaluator(context: dict[str, Any]) -> None:
    site = held_to(tracking=Tracking(required=True))
    assert 200 == site.post("/v1/track", a_track(context=context)).status_code
    assert 1 == len(site.events)


@pytest.mark.parametrize(("allowed", "status"), [(True, "granted"), (False, "revoked")])
def test_the_event_of_a_choice_is_a_statement_of_consent(allowed: bool, status: str) -> None:
    site = held_to()
    site.post("/v1/track", consenting("Segment Consent Preference Updated", allowed=allowed))
    [event] = site.events
    assert ("consent", f"Consent {status.title()}") == (event.type, event.name)
    assert {"topic": "tracking", "channel": None, "status": status} == event.properties


def test_a_key_that_may_not_send_consents_may_not_by_the_event_of_a_choice_either() -> None:
    source = Source(name="page", allow=frozenset({"track"}))
    site = Site(keys=KeyRing(Keys(write_keys={"WK": WriteKey(source=source)})))
    answer = site.post("/v1/track", consenting("Segment Consent Preference Updated", allowed=True))
    assert (403, "not_allowed") == (answer.status_code, answer.json()["code"])
    assert [] == site.events
    assert 200 == site.post("/v1/track", a_track()).status_code


@pytest.mark.parametrize("field", ["userId", "anonymousId"])
@pytest.mark.parametrize(("pattern", "value"), [("test-*", "Test-5"), ("*@*", "aki@shop.example"), ("x?", "xy")])
def test_ids_that_the_workspace_bans_are_refused(field: str, pattern: str, value: str) -> None:
    site = held_to(banned_ids=("nobody", pattern))
    answer = site.post("/v1/track", {"event": "X", field: value})
    assert (400, "illegal_distinct_id") == (answer.status_code, answer.json()["code"])
    assert value not in answer.text
    assert 200 == site.post("/v1/track", {"event": "X", field: f"my-{value}".replace("@", "-")}).status_code


def test_a_batch_may_say_that_it_is_history(site: Site) -> None:
    for said, expected in ((True, True), (False, False), ("yes", False)):
        site.post("/v1/import", {"batch": [a_track()], "historical": said})
        assert expected is site.events[-1].historical


def test_a_folder_says_what_events_are_held_to(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").write_text("schema: workspace/v1\nbanned_ids: [guest-*]\n")
    (tmp_path / "catalogue.yaml").write_text("schema: catalogue/v1\nmode: reject\n")
    site = Site(standards=load_standards(tmp_path))
    codes = [site.post("/v1/track", body).json()["code"] for body in (a_track(userId="guest-5"), a_track(event="Zzz"))]
    assert ["illegal_distinct_id", "unknown_event"] == codes
    (tmp_path / "catalogue.yaml").write_text("schema: catalogue/v1\nmode: rejct\n")
    (tmp_path / "workspace.yaml").write_text("schema: workspace/v1\ntracking: {untracked: keep}\n")
    with pytest.raises(JourneyFaultsError) as error:
        load_standards(tmp_path)
    assert 2 == len(str(error.value).splitlines())


def test_nothing_of_an_event_that_is_taken_is_changed(site: Site) -> None:
    """But for its name: unknown properties are kept, nested ones too."""
    properties = {"a": [1, {"b": None}], "products": [{"sku": "k", "our": {"own": 1}}]}
    site.post("/v1/track", a_track(event="Order Completed", properties=properties))
    [event] = site.events
    assert isinstance(event, Event)
    assert properties == event.properties
