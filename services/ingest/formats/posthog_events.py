"""One event of PostHog's (github.com/PostHog/posthog, rust/capture) → the calls of ours that say the same. Pure.

Who an event is about: PostHog has one id, the ``distinct_id``, where a call has two. It is the ``anonymousId``
where the event itself says that nobody is known by it yet, and the ``userId`` everywhere else (``_is_visitor``).
"""

from __future__ import annotations

from typing import Any

import msgspec

from services.ingest.errors import InvalidEventError

_PAGE = {"url": "$current_url", "path": "$pathname", "referrer": "$referrer", "title": "title"}
_CAMPAIGN = {name: f"utm_{name}" for name in ("source", "medium", "campaign", "term", "content")}
_CONTEXT = {"locale": "$browser_language", "timezone": "$timezone", "userAgent": "$raw_user_agent", "ip": "$ip"}
"""What a call's context names so, and a property of PostHog's so."""

_PLUMBING = frozenset({"token", "distinct_id", "$set", "$set_once", "$unset", "$ip"})
"""Properties that say nothing of what happened."""

_PREVIOUS_FIRST = "posthog-python"
"""Its ``alias(previous_id, distinct_id)`` is sent the other way round than every other library's."""

_Id = str | int | None


class PostHogEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it arrives. ``options`` are the newer form of some properties (/i/v1/analytics/events)."""

    event: str | None = None
    distinct_id: _Id = None
    uuid: str | None = None
    timestamp: str | int | float | None = None
    sent_at: str | int | float | None = None
    properties: dict[str, Any] | None = None
    options: dict[str, Any] | None = None
    set_: dict[str, Any] | None = msgspec.field(default=None, name="$set")
    set_once: dict[str, Any] | None = msgspec.field(default=None, name="$set_once")
    unset: list[str] | None = msgspec.field(default=None, name="$unset")
    engaged: _Id = msgspec.field(default=None, name="$distinct_id")


def to_calls(item: object, *, sent_at: object, library: str | None = None) -> list[dict[str, Any]]:
    """Return the calls that say what ``item`` does: its own, and before it an identify if it changes traits as well.

    ``sent_at`` is the request's, ``library`` what a header says of the sender. Raises InvalidEventError.
    """
    if not isinstance(item, dict):
        raise InvalidEventError("an event is a JSON object")
    try:
        event = msgspec.convert(item, PostHogEvent)
    except msgspec.ValidationError as error:
        raise InvalidEventError("a field has the wrong type", detail=str(error)) from error
    properties = event.properties or {}
    if library is not None:
        properties = {"$lib": library, **properties}
    call = _own_call(event, properties)
    common = {
        "timestamp": event.timestamp,
        "sentAt": None if _flag(event, "$ignore_sent_at", "disable_skew_correction") else (event.sent_at or sent_at),
        "context": _context(properties),
    }
    message_id = event.uuid or properties.get("$insert_id")
    calls: list[dict[str, Any]] = [{**common, "messageId": message_id, **call}]
    if call["type"] not in ("identify", "alias", "group") and (traits := _traits(event, properties)):
        owner: dict[str, Any] = {field: call[field] for field in ("userId", "anonymousId") if field in call}
        derived = f"{message_id}:set" if message_id else None
        calls.insert(0, {**common, "messageId": derived, "type": "identify", **owner, **traits})
    return calls


def _own_call(event: PostHogEvent, properties: dict[str, Any]) -> dict[str, Any]:
    distinct_id = properties.get("distinct_id", event.engaged) if event.distinct_id is None else event.distinct_id
    owner: dict[str, Any] = {"anonymousId" if _is_visitor(event) else "userId": distinct_id}
    said = {name: value for name, value in properties.items() if name not in _PLUMBING}
    match event.event:
        case "$identify" | "$set":
            if event.event == "$identify":
                owner = {"userId": distinct_id, "anonymousId": properties.get("$anon_distinct_id")}
            return {"type": "identify", **owner, **_traits(event, properties)}
        case "$create_alias":
            ids = [distinct_id, properties.get("alias")]
            if _is_visitor(event) or properties.get("$lib") == _PREVIOUS_FIRST:
                ids.reverse()
            return {"type": "alias", "userId": ids[0], "previousId": ids[1]}
        case "$groupidentify":
            kind, key = properties.get("$group_type"), properties.get("$group_key")
            if distinct_id == f"${kind}_{key}":
                # What a library puts there when nobody is named.
                owner = {}
            group = {"groupId": key, "traits": properties.get("$group_set"), "properties": said}
            return {"type": "group", **group, **owner}
        case "$pageview":
            return {"type": "page", "properties": {**_present(_PAGE, properties), **said}, **owner}
        case "$screen":
            return {"type": "screen", "name": properties.get("$screen_name"), "properties": said, **owner}
        case name:
            return {"type": "track", "event": name, "properties": said, **owner}


def _is_visitor(event: PostHogEvent) -> bool:
    """Return whether the event says that its distinct_id is nobody known.

    A browser or an app says so of each event (``$is_identified``). A server says it of an event without a person
    (``$process_person_profile`` false), and otherwise names its users.
    """
    identified = (event.properties or {}).get("$is_identified")
    if isinstance(identified, bool):
        return not identified
    return _flag(event, "$process_person_profile", "process_person_profile") is False


def _flag(event: PostHogEvent, name: str, option: str) -> bool | None:
    value = (event.options or {}).get(option, (event.properties or {}).get(name))
    return value if isinstance(value, bool) else None


def _traits(event: PostHogEvent, properties: dict[str, Any]) -> dict[str, Any]:
    """Return what changes of the traits, as fields of an identify; nothing if nothing does."""
    inner_set, inner_once, inner_unset = (properties.get(name) for name in ("$set", "$set_once", "$unset"))
    unset = [*(event.unset or ()), *(inner_unset if isinstance(inner_unset, list) else ())]
    traits: dict[str, Any] = {name: None for name in unset if isinstance(name, str)}
    traits |= {**(inner_set if isinstance(inner_set, dict) else {}), **(event.set_ or {})}
    once = {**(inner_once if isinstance(inner_once, dict) else {}), **(event.set_once or {})}
    return {name: value for name, value in (("traits", traits), ("traitsOnce", once)) if value}


def _context(properties: dict[str, Any]) -> dict[str, Any]:
    context: dict[str, Any] = _present(_CONTEXT, properties)
    library = {"name": "$lib", "version": "$lib_version"}
    for field, names in (("library", library), ("page", _PAGE), ("campaign", _CAMPAIGN)):
        if found := _present(names, properties):
            context[field] = found
    return context


def _present(names: dict[str, str], properties: dict[str, Any]) -> dict[str, Any]:
    return {ours: properties[theirs] for ours, theirs in names.items() if properties.get(theirs) is not None}
