"""The workspace: what holds for all journeys of a folder, in its file ``workspace.yaml``."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from shared.journeys.calendars import Calendar
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError, suggestion
from shared.journeys.ids import parse_id
from shared.journeys.layout import Layouts
from shared.journeys.model import UNTRACKED, Template, Tracking
from shared.journeys.policy import INHERITED, Given, parse_given, resolve
from shared.journeys.reader import Node
from shared.journeys.sending import Policy
from shared.journeys.times import UTC, WORKSPACE, parse_zone

SCHEMA = "workspace/v1"
_FIELDS = ("schema", "timezone", "locale", "policy", "topics", "tracking", "banned_ids")
_TRACKING = ("required", "category", "untracked", "keep", "exempt")


class TopicText(msgspec.Struct, frozen=True, kw_only=True):
    """What contacts read of a topic, by language; the key ``""`` is for every other language."""

    name: Mapping[str, str] = {}
    description: Mapping[str, str] = {}


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """``timezone`` (an IANA name) is that of contacts without one; ``locale`` that of contacts without one.

    ``policy`` is what every marketing journey inherits, ``topics`` what the journeys of a topic do. Topics that are
    listed are all there are; none listed: any name is one. ``tracking`` is what becomes of events without consent to
    it; ``banned_ids`` are patterns of ids that no contact may have, beside those that nobody may have anywhere;
    ``topic_texts`` is what contacts read of topics.
    """

    timezone: str = UTC.key
    locale: str | None = None
    policy: Given = {}
    topics: dict[str, Given] = {}
    tracking: Tracking = Tracking()
    banned_ids: tuple[str, ...] = ()
    topic_texts: dict[str, TopicText] = {}


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a journey file may name: templates and layouts by id, audiences, calendars, topics.

    None: there is one of that id, with faults.
    """

    templates: Mapping[str, Template | None] = {}
    layouts: Layouts = {}
    audiences: frozenset[str] = frozenset()
    calendars: Mapping[str, Calendar] = {}
    workspace: Workspace = Workspace()

    def policy(self, *layers: Given) -> Policy:
        """Return the policy of a journey, or of a step within it; ``layers`` are what they say, the widest first.

        What the topic says stands between the workspace and the journey, whoever names the topic.
        """
        topic = next((layer["topic"] for layer in reversed(layers) if "topic" in layer), None)
        return resolve(self.workspace.policy, self.workspace.topics.get(topic or "", {}), *layers)

    def check_topic(self, node: Node) -> None:
        """Note a fault when ``node`` names a topic that a workspace with topics does not have."""
        topics = self.workspace.topics
        if topics and node.is_a(str) and node.value not in topics:
            node.fault(f"workspace.yaml has no topic `{node.value}`{suggestion(node.value, topics)}")


def parse_workspace(file: str, text: str) -> Workspace:
    """Return the workspace in ``text``. Raises JourneyFaultsError with every fault of the file."""
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    workspace = None if root is None else _workspace(root)
    if faults or workspace is None:
        raise JourneyFaultsError(faults)
    return workspace


def _workspace(root: Node) -> Workspace:
    fields = root.fields(_FIELDS, required=("schema",))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    topics, texts = {}, {}
    for name, child in fields["topics"].pairs() if "topics" in fields else ():
        parse_id(_named(name, child))
        topics[name], texts[name] = ({}, TopicText()) if child.value is None else _topic(child)
    return Workspace(
        timezone=_zone(fields["timezone"]) if "timezone" in fields else UTC.key,
        locale=fields["locale"].text() if "locale" in fields else None,
        policy=parse_given(fields["policy"], INHERITED) if "policy" in fields else {},
        topics=topics,
        tracking=_tracking(fields["tracking"]) if "tracking" in fields else Tracking(),
        banned_ids=_texts(fields["banned_ids"]) if "banned_ids" in fields else (),
        topic_texts=texts,
    )


def _tracking(node: Node) -> Tracking:
    fields = node.fields(_TRACKING)
    said = fields["untracked"].choice(UNTRACKED, "way") if "untracked" in fields else UNTRACKED[0]
    return Tracking(
        required=fields["required"].boolean() if "required" in fields else False,
        category=fields["category"].text() if "category" in fields else Tracking().category,
        untracked=next(way for way in UNTRACKED if way == said),
        keep=_texts(fields["keep"]) if "keep" in fields else (),
        exempt=_texts(fields["exempt"]) if "exempt" in fields else (),
    )


def _texts(node: Node) -> tuple[str, ...]:
    return tuple(item.text() for item in node.items())


def _named(name: str, node: Node) -> Node:
    """Return the key of a mapping as a node."""
    return Node(name, node.file, node.line, node.column, node.faults)


def _topic(node: Node) -> tuple[Given, TopicText]:
    fields = node.fields(("name", "description", "policy"))
    texts = {name: _by_language(fields[name]) for name in ("name", "description") if name in fields}
    return parse_given(fields["policy"], INHERITED) if "policy" in fields else {}, TopicText(**texts)


def _by_language(node: Node) -> dict[str, str]:
    """Return a text that is the same in every language, or one for each."""
    if isinstance(node.value, dict):
        return {language: child.text() for language, child in node.pairs()}
    return {"": node.text()}


def _zone(node: Node) -> str:
    name = parse_zone(node)
    if name in ("contact", WORKSPACE):
        node.fault("the workspace's time zone is an IANA name, such as Asia/Tokyo")
        return UTC.key
    return name
