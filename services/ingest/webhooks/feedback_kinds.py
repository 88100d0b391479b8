"""The kinds of source that tell of messages: how each is written in ``webhooks.yaml``, and the hook that it makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from services.ingest.links.calls import chosen
from services.ingest.webhooks.base import Hook, Posted
from services.ingest.webhooks.feedback import Finder, Told
from services.ingest.webhooks.providers import dsn, line, mailgun, postmark, sendgrid, ses, twilio
from services.ingest.webhooks.signing import Signature, Token
from shared.clock import Clock
from shared.errors import WordError
from shared.expressions import Expression
from shared.journeys.faults import shown
from shared.journeys.reader import Node
from shared.journeys.secrets import secret_of
from shared.links.link import link_of
from shared.links.seals import Seals
from shared.metrics import Metrics

WORDS: dict[str, tuple[str, ...]] = {
    "ses": ("topic",),
    "sendgrid": ("secret",),
    "mailgun": ("secret",),
    "postmark": ("secret",),
    "twilio": ("secret", "url", "user_id", "anonymous_id"),
    "line": ("secret", "user_id", "anonymous_id"),
    "mail": ("secret",),
}
"""What is to be said of each kind, beside its ``kind``; of what says whose an event is, one will do."""


_ARN = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}")
WHOSE = ("user_id", "anonymous_id")


class Feedback(msgspec.Struct, frozen=True):
    """What finds messages back, and the clock (journey time) for what was chosen by mail."""

    finder: Finder
    clock: Clock


def feedback_of(seals: Seals, metrics: Metrics, clock: Clock) -> Feedback:
    """Return it for a host, which counts what is about no message of ours."""
    return Feedback(Finder(seals, lambda code: metrics.events_rejected.labels(code).inc()), clock)


class Said(NamedTuple):
    """A source of one of these kinds as the file has it; ``whose`` are its expressions, by the field of a call."""

    name: str
    kind: str
    node: Node
    fields: Mapping[str, Node]
    whose: Mapping[str, Expression]


Make = Callable[[Said, bytes, Feedback], Hook]
"""From the source, its secret (empty where the kind has none) and what finds messages. Raises WordError."""


def needed_of(kind: str) -> set[str]:
    """Return the words that a source of ``kind`` must have."""
    return {word for word in WORDS[kind] if word not in WHOSE}


def feedback_hook(said: Said, environment: Mapping[str, str], feedback: Feedback | None) -> Hook | None:
    """Return the hook of a source of one of these kinds; None and a fault for what cannot be one."""
    known = len(said.node.faults)
    if said.kind == "line" and not set(WHOSE) & said.fields.keys():
        said.node.fault("nothing says whose LINE's id it is; write `user_id` or `anonymous_id`")
    secret = secret_of(said.fields["secret"], environment) if "secret" in said.fields else b""
    if feedback is None:
        said.node.fault("feedback is found back by links; set KIKKAKE_PUBLIC_URL and KIKKAKE_LINK_SECRET")
    elif len(said.node.faults) == known and said.fields.keys() >= needed_of(said.kind):
        try:
            return _MAKERS[said.kind](said, secret, feedback)
        except WordError as error:
            said.fields[error.word].fault(str(error))
    return None


def _ses(said: Said, _secret: bytes, feedback: Feedback) -> Hook:
    topic = said.fields["topic"].text()
    if not _ARN.fullmatch(topic):
        raise WordError("topic", f"{shown(topic)} is no topic of SNS; write its ARN, as SNS shows it: arn:aws:sns:...")
    sns = ses.Sns(topic)
    return Hook(name=said.name, credentials=sns, read=_reader(said, ses.read, feedback), prepare=sns.prepare)


def _sendgrid(said: Said, secret: bytes, feedback: Feedback) -> Hook:
    signed = sendgrid.Signed(secret)
    signed.public_key()
    return Hook(name=said.name, credentials=signed, read=_reader(said, sendgrid.read, feedback))


def _mailgun(said: Said, secret: bytes, feedback: Feedback) -> Hook:
    return Hook(name=said.name, credentials=mailgun.Signed(secret), read=_reader(said, mailgun.read, feedback))


def _postmark(said: Said, secret: bytes, feedback: Feedback) -> Hook:
    if b":" not in secret:
        raise WordError("secret", "this is no login for Postmark to give; the secret is `user:password`")
    return Hook(name=said.name, credentials=postmark.Basic(secret), read=_reader(said, postmark.read, feedback))


def _twilio(said: Said, secret: bytes, feedback: Feedback) -> Hook:
    url = said.fields["url"].text()
    if not url.startswith(("https://", "http://")):
        raise WordError("url", f"{shown(url)} is no URL; write this source's address as Twilio has it, https://...")
    return Hook(
        name=said.name,
        credentials=twilio.Signed(secret, url),
        read=partial(_read_twilio, said, feedback),
        answer=(twilio.ANSWER, "text/xml"),
    )


def _read_twilio(said: Said, feedback: Feedback, posted: Posted) -> Sequence[Mapping[str, Any]]:
    """Return the calls of a status, or of what somebody wrote."""
    found = twilio.written(said.whose, posted)
    return feedback.finder.calls(said.name, twilio.read(posted)) if found is None else found


def _line(said: Said, secret: bytes, _feedback: Feedback) -> Hook:
    signature = Signature(secret=secret, header="x-line-signature", encoding="base64")
    return Hook(name=said.name, credentials=signature, read=partial(line.read, said.whose))


def _mail(said: Said, secret: bytes, feedback: Feedback) -> Hook:
    token = Token(secret=secret, header="authorization")
    return Hook(name=said.name, credentials=token, read=partial(_read_mail, said.name, feedback), parse=dsn.parse)


def _read_mail(source: str, feedback: Feedback, posted: Posted) -> Sequence[Mapping[str, Any]]:
    """Return the calls of a mail: the report's, or the unsubscription's, whose subject is the token of a link."""
    token = posted.body.get("unsubscribe", "")
    link = link_of(feedback.finder.seals, "unsubscribe", token)
    if link is not None and link.target:
        return chosen(link, {link.target: "revoked"}, token, feedback.clock())
    return feedback.finder.calls(source, dsn.read(posted.body))


def _reader(
    said: Said, read: Callable[[Posted], Iterable[Told]], feedback: Feedback
) -> Callable[[Posted], Sequence[Mapping[str, Any]]]:
    return lambda posted: feedback.finder.calls(said.name, read(posted))


_MAKERS: dict[str, Make] = {
    "ses": _ses,
    "sendgrid": _sendgrid,
    "mailgun": _mailgun,
    "postmark": _postmark,
    "twilio": _twilio,
    "line": _line,
    "mail": _mail,
}
