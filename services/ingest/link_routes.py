"""The routes behind links in messages.

``/t/o``: opened. ``/t/c``: followed. ``/t/i``: a countdown. ``/u``: what the contact is sent. ``/v``: the message in a
browser. A GET never changes anything that the contact wants: it is counted and leads on, or shows something. Where a
link leads is sealed in it, so that none can be made that leads elsewhere.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import structlog
from fastapi import APIRouter, Request, Response

from services.ingest.errors import BadBodyError, IngestError, NotFoundError, TooManyLinksError, retry_headers, status_of
from services.ingest.formats.base import GIF
from services.ingest.intake import Intake
from services.ingest.keys import Source
from services.ingest.links import pages
from services.ingest.links.calls import FOLLOWED, chosen, followed, opened, scanned
from services.ingest.links.countdowns import Countdowns
from services.ingest.links.form import BODY_BYTES, PAGE, choices_of, fields_of
from services.ingest.links.machines import Followers, machine_of
from services.ingest.links.views import POLICY, Views
from services.ingest.pace import Pace
from shared.clock import Clock
from shared.errors import KikkakeError
from shared.journeys.model import TRACKING
from shared.journeys.workspace import TopicText, Workspace
from shared.links.link import CLICK, COUNTDOWN, OPEN, UNSUBSCRIBE, VIEW, Link, link_of
from shared.links.seals import Purpose, Seals
from shared.log import LogUnavailableError

_LOG = structlog.get_logger(__name__)

LINKS = Source(name="link")
"""The source under which what comes by links is counted."""
PER_SECOND = 1_000
"""Links that are counted, and choices that are taken, in a second in a process."""
VIEWS_PER_SECOND = 20
"""Messages that are made again in a second in a process: each is read from the log and rendered."""
PATIENCE = 0.3
"""Seconds for which a reader waits for the log before the link leads on."""
_ASK = 1.0
_NOT_KEPT = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}
_URL = "!#$%&'()*+,/:;=?@[]~"
"""What stays as it is in a Location, beside letters and digits: whatever a URL may have."""

NOTHING_CHOSEN: Mapping[str, str] = {}
_TEXT: dict[str, Any] = {"content": {"text/html": {}}}
_GIFS: dict[int | str, dict[str, Any]] = {200: {"description": "A dot", "content": {"image/gif": {}}}}
_LEADS: dict[int | str, dict[str, Any]] = {302: {"description": "Where it leads"}, 404: {"description": "No link"}}
_PAGES: dict[int | str, dict[str, Any]] = {200: {"description": "The page", **_TEXT}, 404: {"description": "No link"}}

Consents = Callable[[str], Awaitable[Mapping[str, str] | None]]
"""Returns what is known of the consents of the contact of a key, topic to status; None: nobody knows."""


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """What the routes need: the seals, the topics of the workspace, and whoever knows what a contact has said."""

    seals: Seals
    workspace: Workspace = Workspace()
    consents: Consents | None = None
    views: Views | None = None
    pace: Pace | None = None
    """Of what is counted, and of pages: opens, follows and whoever looks at what may be chosen."""
    choices: Pace | None = None
    """Of what is chosen: the pictures of a campaign that a mail program loads at once refuse nobody's choice."""
    shown: Pace | None = None
    """Of messages that are shown in a browser."""
    countdowns: Countdowns | None = None
    """None: those of these seals, at their usual pace."""
    patience: float = PATIENCE


def consents_by(find: Callable[[str], Awaitable[bytes | None]]) -> Consents:
    """Return the consents that ``find`` (a ``ContactView`` as JSON) tells of; nobody knows what it cannot tell now."""

    async def known(contact: str) -> Mapping[str, str] | None:
        try:
            async with asyncio.timeout(_ASK):
                answer = await find(contact)
        except (IngestError, TimeoutError):
            return None
        if answer is None:
            return None
        said = msgspec.json.decode(answer).get("consent", {})
        return {topic: statement["status"] for topic, statement in said.items()}

    return known


def create_link_router(intake: Intake, links: Links, clock: Clock) -> APIRouter:
    """Return the routes; ``clock`` is journey time."""
    router = APIRouter(tags=["links"])
    recorder = _Recorder(intake, links)
    counted, chooser = _Counted(links, recorder, clock), _Chooser(links, recorder, intake, clock)
    timer, viewer = _Timer(links, intake, clock), _Viewer(links, intake)
    for path, endpoint, method, responses in (
        # One by one, for each has an operation id of its own.
        (OPEN, counted.see, "GET", _GIFS),
        (OPEN, counted.see, "HEAD", _GIFS),
        (COUNTDOWN, timer.show, "GET", _GIFS),
        (COUNTDOWN, timer.show, "HEAD", _GIFS),
        (CLICK, counted.lead_on, "GET", _LEADS),
        (CLICK, counted.lead_on, "HEAD", _LEADS),
        (UNSUBSCRIBE, chooser.show, "GET", _PAGES),
        (UNSUBSCRIBE, chooser.show, "HEAD", _PAGES),
        (UNSUBSCRIBE, chooser.choose, "POST", _PAGES),
        (VIEW, viewer.show, "GET", _PAGES),
        (VIEW, viewer.show, "HEAD", _PAGES),
    ):
        router.add_api_route(
            path + "{token}", _readable(endpoint), methods=[method], responses=responses, response_class=Response
        )
    return router


class _Counted:
    """Opens and follows."""

    def __init__(self, links: Links, recorder: _Recorder, clock: Clock) -> None:
        self._seals = links.seals
        self._recorder = recorder
        self._clock = clock
        self._followers = Followers()

    async def see(self, request: Request, token: str) -> Response:
        """Count that a message was opened. The answer is a picture of one dot, whatever becomes of it."""
        link = link_of(self._seals, "open", token)
        if link is not None:
            now = self._clock()
            machine = machine_of(request.method, request.headers, "opened", now - link.at)
            call = opened(link, token, now) if machine is None else scanned(link, "opened", machine, token, now)
            await self._recorder.record(request, call)
        return Response(GIF, 404 if link is None else 200, _NOT_KEPT, media_type="image/gif")

    async def lead_on(self, request: Request, token: str) -> Response:
        """Count that a link was followed, and lead to where it was made to lead."""
        purpose, link = _followed(self._seals, token)
        if link is None or urlsplit(link.target).scheme not in ("http", "https"):
            raise NotFoundError("there is no such link")
        now = self._clock()
        machine = machine_of(request.method, request.headers, "clicked", now - link.at)
        if self._followers.follow(link.command_id, link.target, now) and machine is None:
            machine = "all_links"
        done = followed(link, purpose, token, now)
        call = done if machine is None else scanned(link, "clicked", machine, token, now)
        await self._recorder.record(request, call)
        return Response(None, 302, {**_NOT_KEPT, "location": quote(link.target, safe=_URL)})


class _Chooser:
    """The page of what a contact is sent."""

    def __init__(self, links: Links, recorder: _Recorder, intake: Intake, clock: Clock) -> None:
        self._links = links
        self._recorder = recorder
        self._pace = links.choices or Pace(PER_SECOND)
        self._intake = intake
        self._clock = clock
        self._topics = {name: text for name, text in links.workspace.topic_texts.items() if name != TRACKING}

    async def show(self, request: Request, token: str) -> Response:
        """Show what the contact is sent, and change nothing: programs that look at mails follow this link, too."""
        link = self._link(token)
        return _not_ours(request) if link is None else await self._page(request, link)

    async def choose(self, request: Request, token: str) -> Response:
        """Take the contact's choice: one click in a mail program (RFC 8058), or the form of the page."""
        link = self._link(token)
        if link is None:
            return _not_ours(request)
        if not self._pace.take():
            self._intake.count_refused(TooManyLinksError.code)
            raise TooManyLinksError
        raw = await self._intake.receive(request, BODY_BYTES)
        fields = fields_of(raw, request.headers.get("content-type", ""))
        try:
            choices = choices_of(fields, self._offered(link), link.target)
            await self._intake.accept_own(request, LINKS, chosen(link, choices, token, self._clock()))
        except (IngestError, LogUnavailableError) as error:
            if PAGE not in fields:
                raise
            notice: pages.Notice = "nothing" if isinstance(error, BadBodyError) else "failed"
            return await self._page(request, link, notice, status=status_of(error))
        return await self._page(request, link, "saved", choices) if PAGE in fields else Response(None, 200, _NOT_KEPT)

    async def _page(
        self,
        request: Request,
        link: Link,
        notice: pages.Notice | None = None,
        choices: Mapping[str, str] = NOTHING_CHOSEN,
        *,
        status: int = 200,
    ) -> Response:
        consents = self._links.consents
        known: Mapping[str, str] | None = None
        if consents is not None and self._recorder.takes():
            known = await consents(link.contact)
        offered = [
            pages.Choice(topic, self._topics.get(topic, TopicText()), choices.get(topic) or (known or {}).get(topic))
            for topic in self._offered(link)
        ]
        text = pages.preferences(_language(request), offered, link.target, notice)
        return Response(text, status, pages.headers(), media_type="text/html")

    def _link(self, token: str) -> Link | None:
        seals = self._links.seals
        return link_of(seals, "unsubscribe", token) or link_of(seals, "preferences", token)

    def _offered(self, link: Link) -> list[str]:
        """Return the topics that may be chosen by ``link``: its own, and those of the workspace."""
        own = [link.target] if link.target and link.target not in self._topics else []
        return [*own, *self._topics]


class _Viewer:
    """Messages in a browser. What is counted is counted by the picture that is in them, as in a mail program."""

    def __init__(self, links: Links, intake: Intake) -> None:
        self._links = links
        self._pace = links.shown or Pace(VIEWS_PER_SECOND)
        self._intake = intake

    async def show(self, request: Request, token: str) -> Response:
        """Show a message as it was sent, for as long as its command is kept."""
        link, views = link_of(self._links.seals, "view", token), self._links.views
        if link is None or views is None:
            raise NotFoundError("there is no such message")
        if not self._pace.take():
            self._intake.count_refused(TooManyLinksError.code)
            raise TooManyLinksError
        page = await views.page(link)
        if page is None:
            text = pages.sorry(_language(request), "gone")
            return Response(text, 404, pages.headers(), media_type="text/html")
        return Response(page, 200, {**pages.headers(), "content-security-policy": POLICY}, media_type="text/html")


class _Timer:
    """Pictures of countdowns."""

    def __init__(self, links: Links, intake: Intake, clock: Clock) -> None:
        self._countdowns = links.countdowns or Countdowns(links.seals)
        self._intake = intake
        self._clock = clock

    async def show(self, request: Request, token: str) -> Response:
        """Show the time that is left now. It is the same picture for everybody, and nobody is counted."""
        countdown = self._countdowns.countdown_of(token)
        if countdown is None:
            raise NotFoundError("there is no such picture")
        try:
            picture = await self._countdowns.picture(countdown, self._clock())
        except TooManyLinksError:
            self._intake.count_refused(TooManyLinksError.code)
            raise
        return Response(picture, 200, _NOT_KEPT, media_type="image/gif")


class _Recorder:
    """Writes what is counted, without keeping the reader waiting for long: a link leads on whatever the log does."""

    def __init__(self, intake: Intake, links: Links) -> None:
        self._intake = intake
        self._pace = links.pace or Pace(PER_SECOND)
        self._patience = links.patience
        self._under_way: set[asyncio.Task[Any]] = set()

    def takes(self) -> bool:
        """Tell whether one more is taken now."""
        if self._pace.take():
            return True
        self._intake.count_refused(TooManyLinksError.code)
        return False

    async def record(self, request: Request, call: Mapping[str, Any]) -> None:
        """Write ``call``, and wait for it for a moment; what the log refuses is counted and lost."""
        if not self.takes():
            return
        task = asyncio.create_task(self._intake.accept_own(request, LINKS, [call]))
        self._under_way.add(task)
        task.add_done_callback(self._done)
        await asyncio.wait({task}, timeout=self._patience)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, KikkakeError):
            _LOG.error("ingest.link_not_recorded", error=type(error).__name__, exc_info=error)


def _followed(seals: Seals, token: str) -> tuple[Purpose, Link | None]:
    for purpose in FOLLOWED:
        link = link_of(seals, purpose, token)
        if link is not None:
            return purpose, link
    return "click", None


def _language(request: Request) -> pages.Language:
    return pages.language_of(request.headers.get("accept-language", ""))


def _not_ours(request: Request) -> Response:
    return Response(pages.sorry(_language(request), "unknown"), 404, pages.headers(), media_type="text/html")


def _readable(endpoint: Callable[[Request, str], Awaitable[Response]]) -> Callable[[Request, str], Awaitable[Response]]:
    """Answer a browser in words where ``endpoint`` refuses a link; programs are told as everywhere."""

    @functools.wraps(endpoint)
    async def readable(request: Request, token: str) -> Response:
        try:
            return await endpoint(request, token)
        except (IngestError, LogUnavailableError) as error:
            status = status_of(error)
            if "text/html" not in request.headers.get("accept", "") or status not in (404, 429, 503):
                raise
            if status == 404:
                return _not_ours(request)
            headers = {**pages.headers(), **retry_headers(error, status)}
            return Response(pages.sorry(_language(request), "busy"), status, headers, media_type="text/html")

    return readable
