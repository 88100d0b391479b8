"""What is wrong with a file of the operator's is said once, with its place and with what to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.dispatcher.connectors.file import parse_connectors, read_connectors
from services.dispatcher.providers import parse_providers, read_providers
from services.ingest.keys_file import parse_keys, read_keys
from services.ingest.webhooks.feedback_kinds import feedback_of
from services.ingest.webhooks.file import parse_webhooks, read_webhooks
from shared.catalogue.reader import parse_catalogue
from shared.errors import ConfigurationError
from shared.journeys.faults import JourneyFaultsError
from shared.journeys.workspace import parse_workspace
from shared.links.seals import Seals
from shared.metrics import Metrics
from tests.unit.shared.journeys.conftest import _schema_agrees

__all__ = ["_schema_agrees"]

FEEDBACK = feedback_of(Seals(["s" * 32]), Metrics(), lambda: 0)
SECRETS = {"SECRET": "hush"}
FILES: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "providers.yaml": ("schema: providers/v1\nchannels:\n  ", lambda file, text: parse_providers(file, text, SECRETS)),
    "webhooks.yaml": (
        "schema: webhooks/v1\nsources:\n  ",
        lambda file, text: parse_webhooks(file, text, SECRETS, FEEDBACK),
    ),
    "connectors.yaml": (
        "schema: connectors/v1\nconnectors:\n  ",
        lambda file, text: parse_connectors(file, text, SECRETS),
    ),
    "keys.yaml": ("schema: keys/v1\nsources:\n  ", parse_keys),
    "workspace.yaml": ("schema: workspace/v1\n", parse_workspace),
    "catalogue.yaml": ("schema: catalogue/v1\n", parse_catalogue),
}
SMTP = "kind: smtp, host: a, from: a@b"
FORM = "token: {query: k, secret: {env: SECRET}}"
SAID = [
    ("email: [{kind: smtp, host: a, from: Shop}]", "3:33: `from` is no address; write one, or 'Name <address>'"),
    (f"email: [{{{SMTP}, reply_to: us}}]", "3:44: `reply_to` is no address; write one, or 'Name <address>'"),
    (f"email: [{{{SMTP}, tls: ssl}}]", "3:44: unknown `tls` `ssl`; write none, starttls or tls"),
    (f"email: [{{{SMTP}, bounce_domain: a b}}]", "3:44: `bounce_domain` is no domain; write one such as"),
    (f"email: [{{{SMTP}, feedback_id: us}}]", "3:44: `feedback_id` is no name for reports; write 5 to 15 letters"),
    (f"email: [{{{SMTP}, files_from: [x]}}]", "3:44: `x` is no origin; write one such as https://files.example.com"),
    (
        f"email: [{{{SMTP}, dkim_domain: a.b}}]",
        "3:44: to sign mails `dkim_selector` and `dkim_key` is needed too",
    ),
    ("email: [{kind: sendgrid, from: a@b, key: {env: NONE}}]", "3:45: the environment variable NONE is not set"),
    ("email: [{kind: sendgrid, from: a@b}]", "3:11: `key` is missing"),
    ("email: [{kind: sendgird, from: a@b}]", "3:12: unknown kind of provider for email `sendgird`; did you mean"),
    ("email: [{from: a@b}]", "3:11: `kind` is missing; write one of smtp, ses, sendgrid, mailgun, postmark"),
    ("email: [5]", "3:11: expected a mapping (lines of `key: value`), not `5`"),
    (
        "webhook: [{kind: webhook, secrets: [{env: SECRET}]}]",
        "3:29: a secret is not `whsec_` and 24 random bytes or more in base64; make one with: echo whsec_$(openssl",
    ),
    ("webhook: [{kind: webhook, secrets: []}]", "3:29: `secrets` has none; give the one that receivers check with"),
    (
        "web_push: [{kind: web_push, private_key: {env: SECRET}, contact: 'mailto:a@b'}]",
        "3:31: `private_key` is no VAPID key: 32 bytes in base64url, or a PEM of the curve prime256v1; make one with:",
    ),
    (
        "sms: [{kind: twilio, account: a, secret: {env: SECRET}, from: b, region: Japan}]",
        "3:68: `region` is no country; write its two capital letters, such as JP",
    ),
]
FAULTS = [
    *[("providers.yaml", text, said) for text, said in SAID],
    ("webhooks.yaml", "a: {kind: sendgrid, secret: {env: NONE}}", "3:32: the environment variable NONE is not set"),
    (
        "webhooks.yaml",
        "a: {kind: sendgrid, secret: {env: SECRET}}",
        "3:23: this is no verification key of SendGrid; copy",
    ),
    ("webhooks.yaml", "a: {kind: postmark, secret: {env: SECRET}}", "3:23: this is no login for Postmark to give; the"),
    ("webhooks.yaml", "a: {kind: ses, topic: x}", "3:18: `x` is no topic of SNS; write its ARN, as SNS shows it"),
    (
        "webhooks.yaml",
        "a: {kind: twilio, secret: {env: SECRET}, url: x}",
        "3:44: `x` is no URL; write this source's address as Twilio has it, https://...",
    ),
    ("webhooks.yaml", "a: {kind: hubspot}", "3:7: unknown kind `hubspot`; known: line, mail, mailgun, mapped,"),
    ("webhooks.yaml", "a:", "3:3: expected a mapping (lines of `key: value`), but nothing is written here"),
    ("webhooks.yaml", f"a: {{{FORM}}}", "3:3: `events` is missing"),
    (
        "webhooks.yaml",
        f"a: {{{FORM}, events: [{{event: Deal Won, user_id: event.id}}]}}",
        "3:59: `Deal Won` is no expression; a text in one has quotes of its own: \"'Deal Won'\"",
    ),
    ("connectors.yaml", "a: {url: x}", "3:7: `x` is not a URL; write one such as https://coupons.example.com/issue"),
    ("connectors.yaml", "a: {url: 'https://a', kind: hubspot_note}", "3:7: a `kind` goes with `base_url`, and without"),
    (
        "connectors.yaml",
        "a: {url: 'https://a', auth: {bearer: SECRET}}",
        "3:32: a secret is `{env: NAME}` or `{file: P",
    ),
    ("keys.yaml", "a: {keys: [{kye: b}]}", "3:15: unknown key `kye`; did you mean `key`?"),
    ("keys.yaml", "a: {keys: [{key: b, not_after: 2027}]}", "3:23: expected a text, not `2027`; put it in quotes"),
    ("keys.yaml", "a: {keys: [{key: b, not_after: soon}]}", "3:23: `soon` is no time; write 2027-03-01T00:00:00Z"),
    ("workspace.yaml", "timezone: Tokyo", "2:1: 'Tokyo' is not a time zone; did you mean Asia/Tokyo?"),
    ("workspace.yaml", "topcs: {}", "2:1: unknown key `topcs`; did you mean `topics`?"),
    ("workspace.yaml", "tracking: {untracked: forget}", "2:12: unknown way `forget`; known: anonymise, drop"),
    ("catalogue.yaml", "events: {Left: {propertes: {}}}", "2:17: unknown key `propertes`; did you mean `properties`?"),
]


@pytest.mark.parametrize(("file", "text", "said"), FAULTS, ids=[text for _, text, _ in FAULTS])
def test_a_fault_is_said_once_with_its_place_and_what_to_write(file: str, text: str, said: str) -> None:
    head, parse = FILES[file]
    with pytest.raises(JourneyFaultsError) as caught:
        parse(file, f"{head}{text}\n")
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"{file}:{said}")
    assert "hush" not in line


@pytest.mark.parametrize(
    ("read", "named"),
    [
        (lambda path: read_providers(path, {}), "--providers or KIKKAKE_PROVIDERS"),
        (lambda path: read_webhooks(path, {}), "--webhooks or KIKKAKE_WEBHOOKS"),
        (lambda path: read_connectors(path, {}), "--connectors or KIKKAKE_CONNECTORS"),
        (read_keys, "--keys-file or KIKKAKE_KEYS_FILE"),
    ],
)
def test_a_file_that_is_not_there_or_no_text_is_said_so(
    tmp_path: Path, read: Callable[[Path], Any], named: str
) -> None:
    file = tmp_path / "file.yaml"
    with pytest.raises(ConfigurationError) as missing:
        read(file)
    assert f"cannot read {file}, which {named} names: no such file or directory" == str(missing.value)
    file.write_bytes("schema: a\nb: é\n".encode("latin-1"))
    with pytest.raises(JourneyFaultsError) as binary:
        read(file)
    assert f"{file}:2:1: not UTF-8; save the file as UTF-8" == str(binary.value)
