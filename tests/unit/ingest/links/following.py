"""A site that takes links, and links that it takes."""

from __future__ import annotations

from typing import Any

from services.ingest.link_routes import Links
from services.ingest.links.countdowns import Countdowns
from services.ingest.links.views import Views
from services.ingest.pace import Pace
from shared.journeys.workspace import TopicText, Workspace
from shared.links.link import Link, url_of
from shared.links.seals import Purpose, Seals
from tests.fakes import FakeClock
from tests.unit.ingest.sites import NOW, Site

SEALS = Seals(["s" * 32])
WORKSPACE = Workspace(
    topics={"news": {}, "sale": {}},
    topic_texts={
        "news": TopicText(name={"en": "News", "ja": "お知らせ"}, description={"": "Once <a week>"}),
        "sale": TopicText(name={"": "Sale & more"}),
    },
)
PERSON = {"user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36"}
SENT = NOW - 60_000
"""When the message was decided: a minute ago."""


def a_link(target: str = "", *, at: int = SENT, contact: str = "u:aki") -> Link:
    return Link(
        contact=contact,
        command_id="6a1f1f0e-8f0c-5b7e-8e0a-1c2d3e4f5a6b",
        journey="cart",
        version=2,
        step="remind",
        channel="email",
        at=at,
        target=target,
    )


def path(purpose: Purpose, target: str = "", **more: Any) -> str:
    return url_of(SEALS, "", purpose, a_link(target, **more))


def a_site(
    *,
    workspace: Workspace = WORKSPACE,
    consents: Any = None,
    pace: Pace | None = None,
    choices: Pace | None = None,
    views: Views | None = None,
    shown: Pace | None = None,
    countdowns: Countdowns | None = None,
    **more: Any,
) -> Site:
    links = Links(
        seals=SEALS,
        workspace=workspace,
        consents=consents,
        pace=pace or Pace(1_000, FakeClock(0)),
        choices=choices or Pace(1_000, FakeClock(0)),
        views=views,
        shown=shown or Pace(1_000, FakeClock(0)),
        countdowns=countdowns,
        patience=5.0,
    )
    return Site(links=links, **more)


def said(site: Site) -> list[tuple[str, dict[str, Any]]]:
    """Return each event that was written, with what tells it from others of the message."""
    about = {"command_id", "journey", "version", "step", "channel"}
    return [
        (event.name, {name: value for name, value in event.properties.items() if name not in about})
        for event in site.events
    ]
