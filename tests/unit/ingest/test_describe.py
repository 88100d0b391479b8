"""What the API's page says of a route is what the route does, and each refusal has the shape of all."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.describe import describe_enrolment, describe_route, describe_setup, describe_webhook
from services.ingest.routes import FORMATS

ROUTES = [route for wire in FORMATS for route in wire.ROUTES]
SETUPS = [setup for wire in FORMATS for setup in wire.SETUPS]
FIELDS = ["success", "code", "message", "detail"]


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.pixel], ids=lambda route: route.paths[0])
def test_a_route_of_events_names_every_refusal_in_one_shape(route: Any) -> None:
    responses = describe_route(route)["responses"]
    assert {200, 400, 401, 403, 413, 429, 503} == set(responses)
    for status, said in responses.items():
        if status != 200:
            assert FIELDS == said["content"]["application/json"]["schema"]["required"]


@pytest.mark.parametrize("route", [route for route in ROUTES if route.pixel], ids=lambda route: route.paths[0])
def test_a_pixel_answers_its_picture_whatever_becomes_of_the_call(route: Any) -> None:
    assert {("image/gif",)} == {tuple(said["content"]) for said in describe_route(route)["responses"].values()}


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.paths[0])
def test_a_key_in_the_path_is_not_found_and_one_elsewhere_is_refused(setup: Any) -> None:
    in_path = "{key}" in setup.paths[0]
    refused = set(describe_setup(setup)["responses"]) - {200}
    assert refused == ({404} if in_path else {401} if setup.keyed else set())
    assert in_path == bool(describe_setup(setup)["openapi_extra"]["parameters"])


def test_an_enrolment_is_a_wish_and_needs_its_key() -> None:
    said = describe_enrolment()
    assert 202 in said["responses"]
    assert 200 not in said["responses"]
    needed = [one["name"] for one in said["openapi_extra"]["parameters"] if one["required"]]
    assert ["journey", "Idempotency-Key"] == needed


def test_a_webhook_may_be_a_form() -> None:
    said = describe_webhook()
    assert {"application/json", "application/x-www-form-urlencoded"} == set(
        said["openapi_extra"]["requestBody"]["content"]
    )
    assert {401, 404} < set(said["responses"])
