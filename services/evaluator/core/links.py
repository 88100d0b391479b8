"""The user's side of identity: which anonymous contacts it has asked for, and what happens until they answer.

Only the anonymous row decides whom it is handed to, so that of two users who were seen on one device one gets it.
"""

from __future__ import annotations

import msgspec

from services.evaluator.core.draft import Draft
from services.evaluator.core.state import Linked, Watch
from shared.clock import DAY, MINUTE
from shared.ids import contact_key, derived_id
from shared.messages.event import Event
from shared.messages.identity import Handover, Link

LINKS_AT_MOST = 50
"""Anonymous ids that are remembered per user; one that was forgotten asks again and gets nothing."""
EVENTS_AT_MOST = 50
"""Events that are kept for runs on their way. With more than these, marketing runs that arrive end: in doubt nothing is
sent."""
EVENT_BYTES_AT_MOST = 32 * 1024
"""Of such events for all anonymous ids together: the row must stay writable while several are on their way."""
WAITS_AT_MOST = 6
"""How often an answer is kept: for an hour in all, in which other workers get a new folder of journeys, too."""
_WATCH = "link:"
_FIRST, _LONGEST = MINUTE, DAY


def keep_for_links(draft: Draft, event: Event) -> None:
    """Keep ``event`` for the runs that are on their way to this contact, and ask for those of a new anonymous id."""
    anonymous = _named(event) if names_visitor(event) else None
    if anonymous is not None and draft.contact.startswith("u:") and anonymous not in draft.links:
        _remember(draft, anonymous)
        _ask(draft, anonymous)
    for name, link in draft.links.items():
        if not link.answered:
            kept = sum(other.size for other in draft.links.values())
            draft.links = {**draft.links, name: _with(link, event, kept)}


def names_visitor(event: Event) -> bool:
    """Tell whether ``event`` may name an anonymous contact beside its user."""
    return bool(event.anonymous_id or event.previous_id)


def _named(event: Event) -> str | None:
    """Return the key of the anonymous contact that ``event`` names beside its user.

    An alias names one by ``previous_id``. It is never another user's: two users are two people, whoever says otherwise.
    """
    if event.user_id is None:
        return None
    return contact_key(None, event.previous_id if event.type == "alias" else event.anonymous_id)


def is_link(watch: Watch) -> bool:
    """Tell whether ``watch`` is that of an unanswered link."""
    return watch.key.startswith(_WATCH)


def ask_again(draft: Draft, watch: Watch) -> None:
    """Ask once more: the watch of an unanswered link came due."""
    name = watch.key.removeprefix(_WATCH)
    link = draft.links.get(name)
    if link is not None and not link.answered:
        _ask(draft, name)


def keep_answer(draft: Draft, answer: Handover) -> bool:
    """Keep ``answer`` until more is known here of what it brings; False: it was kept as often as may be."""
    link = draft.links[answer.anonymous]
    if link.waits >= WAITS_AT_MOST:
        return False
    link = msgspec.structs.replace(link, handover=answer.state, waits=link.waits + 1)
    draft.links = {**draft.links, answer.anonymous: link}
    draft.watch(Watch(_WATCH + answer.anonymous, "", draft.now + _pause(link.waits), draft.now, {}))
    return True


def kept_answer(draft: Draft, watch: Watch) -> Handover | None:
    """Return the answer that was kept until now, when the watch of its link has come due."""
    name = watch.key.removeprefix(_WATCH)
    link = draft.links.get(name)
    if link is None or link.handover is None:
        return None
    return Handover(message_id="", contact=draft.contact, anonymous=name, at=draft.now, state=link.handover)


def answered(draft: Draft, anonymous: str) -> Linked | None:
    """Take the answer of ``anonymous``: returns the link as it was, or None when it was answered before."""
    link = draft.links.get(anonymous)
    if link is None or link.answered:
        return None
    draft.links = {**draft.links, anonymous: Linked(tries=link.tries, answered=True)}
    if _WATCH + anonymous in draft.watches:
        draft.unwatch(_WATCH + anonymous)
    return link


def _remember(draft: Draft, anonymous: str) -> None:
    kept = dict(list(draft.links.items())[-(LINKS_AT_MOST - 1) :])
    for name in draft.links.keys() - kept.keys():
        if _WATCH + name in draft.watches:
            draft.unwatch(_WATCH + name)
    draft.links = {**kept, anonymous: Linked()}


def _ask(draft: Draft, anonymous: str) -> None:
    link = draft.links[anonymous]
    link = msgspec.structs.replace(link, tries=link.tries + 1)
    draft.links = {**draft.links, anonymous: link}
    message_id = derived_id("link", draft.contact, anonymous, str(link.tries))
    draft.post(anonymous, Link(message_id=message_id, contact=anonymous, user=draft.contact, at=draft.now))
    draft.watch(Watch(_WATCH + anonymous, "", draft.now + _pause(link.tries), draft.now, {}))


def _pause(number: int) -> int:
    """Return how long to wait after the try of that number."""
    return min(_FIRST << min(number - 1, 20), _LONGEST)


def _with(link: Linked, event: Event, kept: int) -> Linked:
    """Return ``link`` with ``event``; ``kept`` are the bytes that all links of the contact keep so far."""
    if link.overflowed:
        return link
    size = len(msgspec.json.encode(event))
    if len(link.events) >= EVENTS_AT_MOST or kept + size > EVENT_BYTES_AT_MOST:
        return msgspec.structs.replace(link, events=(), size=0, overflowed=True)
    return msgspec.structs.replace(link, events=(*link.events, event), size=link.size + size)
