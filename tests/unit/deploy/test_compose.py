"""docker-compose.yml is valid, safe by default, and sets only what the services read. It is not run here: no engine."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.dispatcher.connectors.file import read_connectors
from services.dispatcher.providers import read_providers
from tests.unit.deploy.files import (
    COMPOSE,
    ROOT,
    SETTINGS,
    compose_faults,
    load,
    ours,
    port,
    variables,
    version,
)

_DEFAULT = re.compile(r"\$\{(\w+):-([^}]*)\}")
_PINNED = re.compile(r":v?\d+\.\d+\.\d+(-[a-z0-9.]+)?$")
TEXT = COMPOSE.read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = load(TEXT)["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def _environment(service: str) -> dict[str, str]:
    """What the service is given when there is no .env."""
    return {name: _DEFAULT.sub(r"\2", value) for name, value in ours(SERVICES[service]["environment"]).items()}


def test_it_is_valid_by_the_compose_specification() -> None:
    assert [] == compose_faults(load(TEXT))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("services", "ingest", "restarts"), "always"),
        (("services", "ingest", "ports"), 8000),
        (("services", "evaluator", "depends_on"), {"kafka": {"condition": "healthy"}}),
        (("services", "kafka", "healthcheck", "interval"), 10),
        (("volume",), {}),
    ],
)
def test_the_check_of_the_specification_can_fail(path: tuple[str, ...], value: object) -> None:
    document = copy.deepcopy(load(TEXT))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert compose_faults(document)


def test_it_runs_every_service_that_has_settings() -> None:
    assert set(SETTINGS) == set(OURS)


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_is_pinned(service: str) -> None:
    """What is started tomorrow is what was started today."""
    assert _PINNED.search(SERVICES[service]["image"])


@pytest.mark.parametrize("image", ["redis", "redis:8", "redis:latest", "redis:8.8-alpine"])
def test_a_floating_tag_is_not_pinned(image: str) -> None:
    assert not _PINNED.search(image)


@pytest.mark.parametrize("service", SETTINGS)
def test_our_images_are_built_from_the_one_recipe(service: str) -> None:
    expected = {"context": ".", "dockerfile": "deploy/Dockerfile", "args": {"SERVICE": service}}
    assert expected == OURS[service]["build"]
    assert f"kikkake/{service}:{version()}" == OURS[service]["image"]


def test_it_runs_the_kafka_that_the_tests_run() -> None:
    pom = (ROOT / "tests" / "servers" / "kafka" / "pom.xml").read_text(encoding="utf-8")
    tested = re.search(r"<kafka\.version>([^<]+)<", pom)
    assert tested is not None
    assert f"apache/kafka:{tested[1]}" == SERVICES["kafka"]["image"]


@pytest.mark.parametrize("service", SETTINGS)
def test_every_variable_is_a_setting_of_its_service(service: str) -> None:
    """A variable that nobody reads is a setting that silently does nothing."""
    assert set() == _environment(service).keys() - variables(service)


@pytest.mark.parametrize("service", SETTINGS)
def test_the_services_accept_their_values_without_a_dot_env(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _environment(service).items():
        monkeypatch.setenv(name, value)
    settings = SETTINGS[service]()
    assert "kafka:19092" == settings.model_dump()["kafka_bootstrap"]


def test_the_env_example_is_what_applies_without_it() -> None:
    """Copying .env.example to .env changes nothing until a line of it is changed."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert dict(_DEFAULT.findall(TEXT)) == example
    assert TEXT.count("${") == len(_DEFAULT.findall(TEXT)), "a variable without a default makes .env necessary"


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_published_beyond_this_machine(service: str) -> None:
    """Kafka here asks nobody for a password."""
    assert [] == [entry for entry in SERVICES[service].get("ports", []) if not entry.startswith("127.0.0.1:")]


@pytest.mark.parametrize("service", SETTINGS)
def test_our_services_run_without_privileges(service: str) -> None:
    found = SERVICES[service]
    assert "10001:10001" == found["user"]
    assert found["read_only"] is True
    assert "/tmp" in found["tmpfs"]
    assert ["ALL"] == found["cap_drop"]
    assert ["no-new-privileges:true"] == found["security_opt"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_restarts_and_says_how_it_is(service: str) -> None:
    assert "unless-stopped" == SERVICES[service]["restart"]
    assert "CMD" == SERVICES[service]["healthcheck"]["test"][0]


@pytest.mark.parametrize("service", SETTINGS)
def test_readiness_is_asked_on_the_port_that_is_served(service: str) -> None:
    assert f"http://127.0.0.1:{port(service)}/readyz" in SERVICES[service]["healthcheck"]["test"][-1]


def test_ingest_is_published_on_its_own_port() -> None:
    assert [f"127.0.0.1:8000:{port('ingest')}"] == SERVICES["ingest"]["ports"]


def test_every_address_that_is_configured_is_a_service_that_is_waited_for() -> None:
    """Each host name in our variables is in depends_on, so that it is up before we ask for it."""
    for name in SETTINGS:
        hosts = {host for host in SERVICES if any(re.search(rf"\b{host}:", v) for v in _environment(name).values())}
        assert hosts <= set(SERVICES[name]["depends_on"]), name
        assert {"service_healthy"} == {need["condition"] for need in SERVICES[name]["depends_on"].values()}


def test_the_evaluator_reads_the_journeys_of_this_checkout_and_cannot_change_them() -> None:
    assert ["./journeys:/journeys:ro"] == SERVICES["evaluator"]["volumes"]


def test_ingest_and_the_evaluators_know_each_other() -> None:
    ingest, evaluator = _environment("ingest"), _environment("evaluator")
    assert ingest["KIKKAKE_INTERNAL_TOKEN"] == evaluator["KIKKAKE_INTERNAL_TOKEN"]
    assert f"evaluator:{port('evaluator')}" == ingest["KIKKAKE_EVALUATORS"]


@pytest.mark.parametrize(
    ("setting", "read"), [("KIKKAKE_CONNECTORS", read_connectors), ("KIKKAKE_PROVIDERS", read_providers)]
)
def test_the_dispatcher_reads_the_files_of_this_checkout_and_cannot_change_them(
    setting: str, read: Callable[[Path, dict[str, str]], Any]
) -> None:
    mounts = {target: (source, mode) for source, target, mode in map(_parts, SERVICES["dispatcher"]["volumes"])}
    source, mode = mounts[_environment("dispatcher")[setting]]
    assert "ro" == mode
    assert {} == read(ROOT / source, {})


def _parts(mount: str) -> list[str]:
    return mount.split(":")
