"""What the pages show works, and what they name exists."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import shlex
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from pathlib import Path
from textwrap import dedent, indent

import pytest
from fastapi import APIRouter
from pydantic_settings import BaseSettings
from starlette.testclient import TestClient

from cli.bounce import SECRET
from cli.simulator.answers import read_answers
from services.dispatcher.channels.inbox import InboxChannel
from services.dispatcher.connectors.file import parse_connectors
from services.dispatcher.providers import parse_providers
from services.ingest.app import create_app
from services.ingest.auth import Admin
from services.ingest.contacts import Readers, create_contacts_router
from services.ingest.dead_letter_routes import create_dead_letters_router
from services.ingest.dead_letters import DeadLetters
from services.ingest.keys import plain_keys
from services.ingest.keys_file import read_keys
from services.ingest.link_routes import Links
from services.ingest.pace import Pace
from services.ingest.screening import Screening, load_standards
from services.ingest.webhooks.feedback import REFERENCE
from services.ingest.webhooks.feedback_kinds import feedback_of
from services.ingest.webhooks.file import parse_webhooks
from services.standalone.inbox import create_inbox_router
from shared.catalogue.reader import parse_catalogue
from shared.journeys.audiences import check_audiences, parse_audience
from shared.journeys.calendars import SCHEMA as CALENDAR_SCHEMA
from shared.journeys.calendars import parse_calendar
from shared.journeys.faults import Fault
from shared.journeys.files import load_definitions
from shared.journeys.layouts import parse_layout
from shared.journeys.model import (
    Branch,
    Call,
    Collect,
    Emit,
    Enrol,
    Experiment,
    Goto,
    Notify,
    Send,
    Step,
    Template,
    Update,
    Wait,
    WaitFor,
    all_steps,
)
from shared.journeys.parse import parse_journey
from shared.journeys.templates import parse_template
from shared.journeys.workspace import Surroundings, parse_workspace
from shared.links.seals import Seals
from shared.metrics import Metrics
from shared.tokens import Tokens
from tests.builders import JOURNEYS, ROOT
from tests.fakes import FakeClock, MemoryLog, RecordingPublisher
from tests.unit.docs.pages import NAMES, PAGES, blocks, prose, table

FEEDBACK = feedback_of(Seals(["s" * 32]), Metrics(), FakeClock())
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
MAKE = re.compile(r"(?:^|`)\s*make ([a-z][a-z-]*)", re.MULTILINE)


AUDIENCES = [
    parse_audience(page.name, block)
    for page in PAGES
    for block in blocks(page, "yaml")
    if block.startswith("schema: audience/v1")
]


LAYOUT_BLOCKS = [block for page in PAGES for block in blocks(page, "yaml") if block.startswith("schema: layout/v1")]
LAYOUTS = {layout.id: layout for layout in (parse_layout("page", block) for block in LAYOUT_BLOCKS)}


@cache
def shipped_templates() -> dict[str, Template]:
    sends = [
        step for journey in load_definitions(JOURNEYS).journeys for step in journey.steps if isinstance(step, Send)
    ]
    return {step.template.id: step.template for step in sends}


def shipped(page: Path | None = None) -> Surroundings:
    """Return what a journey in a page may name: the templates that we ship, and the calendars that the page shows."""
    documents = [] if page is None else blocks(page, "yaml")
    calendars = [parse_calendar("page", block) for block in documents if block.startswith(f"schema: {CALENDAR_SCHEMA}")]
    return Surroundings(
        templates=shipped_templates(),
        calendars={it.id: it for it in calendars},
        audiences=frozenset(audience.id for audience in AUDIENCES),
    )


SECRETS = dict.fromkeys(
    [
        *("COUPONS_AUTHORIZATION", "SMTP_PASSWORD", "SHOPIFY_SECRET", "CRM_SECRET", "MAILGUN_SIGNING_KEY"),
        *("POSTMARK_LOGIN", "TWILIO_AUTH_TOKEN", "LINE_CHANNEL_SECRET", SECRET),
        *("HUBSPOT_TOKEN", "SALESFORCE_SECRET", "ZENDESK_TOKEN", "LOYALTY_KEY"),
    ],
    "user:hush",
)


def parse(page: Path, block: str, folder: Path) -> object:
    """Read ``block`` of ``page`` as the kind of document that its ``schema`` names."""
    readers: dict[str, Callable[[], object]] = {
        "template/v1": lambda: parse_template(page.name, block, LAYOUTS),
        "workspace/v1": lambda: parse_workspace(page.name, block),
        "journey/v1": lambda: parse_journey(page.name, block, shipped(page)),
        "layout/v1": lambda: parse_layout(page.name, block),
        "audience/v1": lambda: parse_audience(page.name, block),
        "catalogue/v1": lambda: parse_catalogue(page.name, block),
        CALENDAR_SCHEMA: lambda: parse_calendar(page.name, block),
        "connectors/v1": lambda: parse_connectors(page.name, block, SECRETS),
        "providers/v1": lambda: parse_providers(page.name, block, SECRETS),
        "keys/v1": lambda: read_keys(written(folder, block)).write_keys,
        "webhooks/v1": lambda: parse_webhooks(
            page.name, block.replace("/run/secrets/contact_form", str(written(folder, "hush"))), SECRETS, FEEDBACK
        ),
        # Run, with the journey that its page shows, by tests/unit/cli/simulator/test_page.py.
        "journey-test/v1": lambda: page.name == "simulate.md",
    }
    kind = block.partition("\n")[0].removeprefix("schema:").partition("#")[0].strip()
    return readers[kind]()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_document_in_a_page_is_valid(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "yaml"):
        if block.startswith("schema:"):
            assert parse(page, block, tmp_path)


def written(folder: Path, text: str) -> Path:
    file = folder / "shown.yaml"
    file.write_text(text)
    return file


def test_the_answers_shown_can_be_read(tmp_path: Path) -> None:
    faults: list[Fault] = []
    [shown] = re.findall(
        r"^  (schema: answers/v1\n(?:  [^`\n]*\n)+)", (ROOT / "docs/simulate.md").read_text(), re.MULTILINE
    )
    answers = read_answers(written(tmp_path, dedent("  " + shown)), faults)
    assert [] == faults
    assert {"coupons.issue", "crm.note"} == set(answers)


AROUND = {
    "schema": "schema: journey/v1",
    "id": "id: shown",
    "version": "version: 1",
    "trigger": "trigger: {type: event, event: Product Added}",
    "policy": "policy: {purpose: transactional}",
    "steps": "steps: [{id: end, exit: {reason: done}}]",
}
PAGES_WITH_PARTS = ("docs/journeys.md", "docs/reference/events.md", "docs/reference/reasons.md")
PARTS = [
    (page.name, block)
    for page in PAGES
    if page.parent.name == "journeys" or str(page.relative_to(ROOT)) in PAGES_WITH_PARTS
    for block in blocks(page, "yaml")
    if not block.startswith("schema:")
]


def test_the_audiences_shown_go_together() -> None:
    assert [] == check_audiences({one.id: one for one in AUDIENCES}, {one.id: f"{one.id}.yaml" for one in AUDIENCES})


@pytest.mark.parametrize(("page", "block"), PARTS, ids=[block.split("\n", 1)[0][:40] for _, block in PARTS])
def test_every_part_of_a_journey_in_a_page_is_valid(page: str, block: str) -> None:
    """Steps, or keys of the top: the rest of the journey is put around them."""
    if block.startswith("- "):
        block = "steps:\n" + indent(block, "  ")
    rest = [line for key, line in AROUND.items() if not re.search(rf"^{key}s?:", block, re.MULTILINE)]
    parse_journey(page, "\n".join([*rest, block]), shipped())


def test_each_verb_is_shown() -> None:
    """But for `exit`, which the walk-through shows."""
    shown = {type(step) for _, block in PARTS if block.startswith("- ") for step in all_steps(steps_of(block))}
    assert {Wait, WaitFor, Branch, Experiment, Send, Update, Emit, Goto, Call, Notify, Enrol, Collect} <= shown


def steps_of(block: str) -> tuple[Step, ...]:
    lines = [line for key, line in AROUND.items() if key != "steps"]
    return parse_journey("page", "\n".join([*lines, "steps:", indent(block, "  ")]), shipped()).steps


def test_the_walk_through_shows_the_journey_that_is_shipped() -> None:
    [shown] = [block for block in blocks(ROOT / "docs/journeys.md", "yaml") if "id: cart_abandonment" in block]
    [ours] = [journey for journey in load_definitions(JOURNEYS).journeys if journey.id == "cart_abandonment"]
    assert ours == parse_journey("journeys.md", shown, shipped())


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_to_ourselves_leads_somewhere(page: Path) -> None:
    dead = []
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert [] == dead


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the page's headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(page.read_text())}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_variable_named_is_a_setting(page: Path) -> None:
    named = set(re.findall(r"\bKIKKAKE_[A-Z0-9_]*[A-Z0-9]\b", page.read_text()))
    assert set() == named - variables() - {SECRET}


def variables() -> set[str]:
    """Return the environment variables that some service reads."""
    for service in ("ingest", "evaluator", "dispatcher"):
        importlib.import_module(f"services.{service}.settings")
    found: set[str] = set()
    kinds: list[type[BaseSettings]] = [BaseSettings]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__.startswith(("services.", "shared.")):
            found |= {f"{kind.model_config['env_prefix']}{name}".upper() for name in kind.model_fields}
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_metric_named_is_declared(page: Path) -> None:
    declared = {name for metric in Metrics().registry.collect() for name in (metric.name, f"{metric.name}_total")}
    named = set(re.findall(r"\bkikkake_[a-z_]*[a-z]\b", page.read_text())) - {REFERENCE}
    assert set() == {re.sub(r"_(bucket|count|sum)$", "", name) for name in named} - declared


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_make_target_named_is_in_the_makefile(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set() == set(MAKE.findall(page.read_text())) - targets


async def _ready() -> bool:
    return True


CALLS = [
    (command, answer)
    for block in blocks(ROOT / "docs/http.md", "console")
    for command, answer in re.findall(r"^\$ (curl .*)\n(.*)$", block, re.MULTILINE)
]


@pytest.fixture(scope="module")
def http() -> TestClient:
    return TestClient(
        create_app(
            publisher=RecordingPublisher(),
            keys=plain_keys(["WRITE_KEY"]),
            admin_token="ADMIN_TOKEN",
            ready=_ready,
            clock=FakeClock(1_772_445_600_000),
            extra_routers=[create_inbox_router({"email": InboxChannel()}, Admin("ADMIN_TOKEN")), _contacts()],
        )
    )


def _contacts() -> APIRouter:
    """Return the route to contacts, of whom nobody is known."""

    async def find(_contact: str) -> bytes | None:
        return None

    return create_contacts_router(find, Readers(Tokens([]), Admin("ADMIN_TOKEN")), Pace(100), Metrics())


@pytest.mark.parametrize(("command", "answer"), CALLS, ids=[command[:70] for command, _ in CALLS])
def test_every_call_shown_is_answered_as_shown(http: TestClient, command: str, answer: str) -> None:
    words = iter(shlex.split(command)[1:])
    path, body, user, headers = "", None, None, {}
    for word in words:
        match word:
            case "-d":
                body = next(words)
            case "-u":
                user = next(words).removesuffix(":")
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case _:
                path = word.removeprefix("http://127.0.0.1:8000")
    if user is not None:
        headers["Authorization"] = f"Basic {b64encode(f'{user}:'.encode()).decode()}"
    response = http.request("GET" if body is None else "POST", path, content=body, headers=headers)
    assert json.loads(answer) == response.json()


def test_every_route_is_named() -> None:
    """The pages' tables and the application's own description agree, in both directions, each format on its page."""
    links = Links(seals=Seals(["s" * 32]))
    memory = MemoryLog()
    letters = DeadLetters(memory, memory, Screening(load_standards(None), Metrics(), str), asyncio.sleep)
    app = create_app(
        publisher=RecordingPublisher(),
        keys=plain_keys(["k"]),
        ready=_ready,
        links=links,
        extra_routers=[_contacts(), create_dead_letters_router(letters, Admin("ADMIN_TOKEN"))],
    )
    described = app.openapi()["paths"]
    routes: dict[str, set[str]] = {}
    for path, methods in described.items():
        for about in methods.values():
            routes.setdefault(f"docs/sdks/{about['tags'][0]}.md", set()).add(path)
    routes["docs/http.md"] = routes.pop("docs/sdks/segment.md") | routes.pop("docs/sdks/enrolments.md")
    routes["docs/http.md"] |= routes.pop("docs/sdks/contacts.md") | routes.pop("docs/sdks/webhooks.md")
    routes["docs/http.md"] |= routes.pop("docs/sdks/links.md") | routes.pop("docs/sdks/dead-letters.md")
    routes["docs/http.md"] |= {"/v1/inbox", "/livez", "/readyz", "/metrics"}
    for page, paths in routes.items():
        named: set[str] = set()
        for row in table(page, "## Routes"):
            for word in re.findall(r"/[\w/{}.-]+", row[0]):
                # A short form is one of the version's.
                short = word.count("/") == 1 and page == "docs/http.md" and word not in paths
                named.add(f"/v1{word}" if short else word)
        assert paths == named, page
