"""What becomes of a request's events when there is much of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.ingest.keys import KeyRing, Keys, Source, WriteKey
from services.ingest.limits import HIGHEST, Limits
from shared.log import fits
from tests.unit.ingest.sites import Site, a_track

MIB = 1024 * 1024
BATCHES = [
    ("/v1/batch", {"type": "track", "event": "X", "userId": "u1"}),
    ("/beacon/v1/batch", {"type": "track", "event": "X", "userId": "u1"}),
    ("/api/s/s2s/batch", {"type": "track", "event": "X", "userId": "u1"}),
    ("/batch/", {"event": "X", "distinct_id": "u1"}),
    ("/i/v1/analytics/events", {"event": "X", "distinct_id": "u1", "uuid": "7"}),
]


def limited(limits: Limits) -> Site:
    return Site(keys=KeyRing(Keys(write_keys={"WK": WriteKey(source=Source(name="shop", limits=limits))})))


@pytest.mark.parametrize(("path", "event"), BATCHES)
def test_a_batch_as_large_as_any_library_sends(site: Site, path: str, event: dict[str, Any]) -> None:
    """posthog-python: 5 MiB and one event of 900 KiB. A 413 would lose all of it, so it is taken whole."""
    usual = {**event, "properties": {"a": ["x" * 5_000] * 6}}
    huge = {**event, "properties": {"a": "x" * 900 * 1024}}
    batch = [usual] * (5 * MIB // 30_000) + [huge]
    answer = site.post(path, {"batch": batch})
    assert 200 == answer.status_code
    assert len(batch) - 1 == len(site.events)
    assert ["event_too_large"] == [letter.reason for letter in site.letters]
    assert huge == json.loads(site.letters[0].value or b"")


@pytest.mark.parametrize(("path", "event"), BATCHES)
def test_an_event_that_the_log_cannot_even_set_aside(site: Site, path: str, event: dict[str, Any]) -> None:
    """Left out of its dead letter. As a 500 it would come again for ever, and the others of its batch with it."""
    answer = site.post(path, {"batch": [event, {**event, "properties": {"a": "x" * 2 * MIB}}]})
    assert 200 == answer.status_code
    assert ["X"] == [one.name for one in site.events]
    [letter] = site.letters
    assert ("event_too_large", None) == (letter.reason, letter.value)
    assert letter.detail.startswith("the event is larger than 32768 bytes; of 2097")
    assert all(fits(output) for output in site.publisher.outputs)


def test_an_event_larger_than_a_record() -> None:
    """Within the limits of its source, and with what ingest adds no more within the log's."""
    made = limited(HIGHEST)
    large = a_track(properties={"a": "x" * (MIB - 200)})
    answer = made.post("/v1/track", large)
    assert (413, "event_too_large") == (answer.status_code, answer.json()["code"])
    answer = made.post("/v1/batch", {"batch": [large, a_track()]})
    assert [(0, "event_too_large")] == [(one["index"], one["code"]) for one in answer.json()["errors"]]
    assert 1 == len(made.events)


def test_the_deepest_that_a_source_may_send() -> None:
    """It is written, and whoever reads the log can read it."""
    made = limited(HIGHEST)
    properties: dict[str, Any] = {}
    for _ in range(HIGHEST.depth - 2):
        properties = {"a": properties}
    assert 200 == made.post("/v1/track", a_track(properties=properties)).status_code
    assert properties == made.events[0].properties
    assert 400 == made.post("/v1/track", a_track(properties={"a": properties})).status_code


def test_the_context_of_a_batch_counts_in_each_of_its_events() -> None:
    """A list of 900 in 30 kB with a context of 10 kB beside it would be 9 MB in the log."""
    made = limited(Limits(batch_bytes=1_000_000))
    context = {"a": "x" * 10_000}
    answer = made.post("/v1/batch", {"batch": [a_track()] * 900, "context": context})
    assert (413, "too_large") == (answer.status_code, answer.json()["code"])
    assert 200 == made.post("/v1/batch", {"batch": [a_track()] * 90, "context": context}).status_code


def test_the_context_of_a_batch_is_held_to_the_limits_of_an_event(site: Site) -> None:
    answer = site.post("/v1/batch", {"batch": [a_track()], "context": {"a": "x" * 20_000}})
    assert (400, "string_too_long") == (answer.status_code, answer.json()["code"])
    context = {"a": "x" * 10_000}
    event = a_track(properties={"b": "x" * 15_000, "c": "x" * 10_000})
    answer = site.post("/v1/batch", {"batch": [a_track(), event], "context": context})
    assert [(1, "event_too_large")] == [(one["index"], one["code"]) for one in answer.json()["errors"]]
