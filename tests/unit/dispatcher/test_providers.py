"""``providers.yaml``: what it says, and what it says wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.dispatcher.app import make_channels
from services.dispatcher.core.rate import Rate
from services.dispatcher.providers import parse_providers, read_providers
from services.dispatcher.rates import LocalRate
from services.dispatcher.settings import DispatcherSettings
from shared.journeys.faults import JourneyFaultsError

HEAD = "schema: providers/v1\nchannels:\n"
SECRETS = {"SMTP_PASSWORD": "s3cret"}


def faults_of(text: str) -> list[str]:
    with pytest.raises(JourneyFaultsError) as caught:
        parse_providers("providers.yaml", text, SECRETS)
    return [f"{fault.line}: {fault.message}" for fault in caught.value.faults]


def test_a_channel_has_its_providers_in_their_order() -> None:
    found = parse_providers(
        "providers.yaml",
        HEAD + "  email:\n"
        "    - {kind: smtp, id: main, host: a, from: a@b, password: {env: SMTP_PASSWORD}, rate: 50/s}\n"
        "    - {kind: smtp, id: spare, host: b, from: a@b, connections: 2}\n",
        SECRETS,
    )
    main, spare = found["email"]
    assert ("main", "s3cret", Rate(50, 1000)) == (main.settings.id, main.settings.text("password"), main.rate)
    assert ("spare", 2, None) == (spare.settings.id, spare.connections, spare.rate)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("email: [{host: a}]", "3: `kind` is missing"),
        ("email: [{kind: slack}]", "3: unknown kind of provider for email `slack`"),
        ("slack: [{kind: slack, rate: fast}]", "3: expected a rate such as 50/s, 600/min or 10000/h"),
        ("slack: [{kind: slack, rate: 0/s}]", "3: expected a rate such as 50/s, 600/min or 10000/h"),
        ("slack: [{kind: slack}, {kind: slack}]", "3: `slack` is there twice: give each provider an `id` of its own"),
        ("slack: [{kind: slack, hooks: 'http://example.com'}]", "the network: use https"),
        ("slack: [{kind: slack, id: Big Name}]", "3: `Big Name` is no id; write up to 40 of a-z, 0-9, _ and -"),
        ("email: [{kind: smtp, host: a, from: a@b, password: s3cret}]", "a secret is `{env: NAME}` or `{file: PATH}`"),
        ("email: [{kind: smtp, host: a, from: a@b, password: {env: NOWHERE}}]", "NOWHERE is not set"),
        ("email: [{kind: smtp, host: a, from: a@b, port: 99999}]", "3: expected a whole number from 1 to 65535"),
        ("slack: [{kind: slack, timeout: 2h}]", "3: a time-out is an hour at most"),
        ("pigeon: []", "3: unknown key `pigeon`"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(line: str, fault: str) -> None:
    said = faults_of(HEAD + f"  {line}\n")
    assert fault in said[0]
    assert "s3cret" not in said[0]


@pytest.mark.parametrize(
    ("file", "carriers"),
    [
        (None, {"email": ["smtp"]}),
        ("  slack: [{kind: slack}]\n", {"slack": ["slack"], "email": ["smtp"]}),
        ("  email: [{kind: smtp, id: ours, host: a, from: a@b.example}]\n", {"email": ["ours"]}),
    ],
)
def test_mails_go_by_the_file_or_by_the_url(tmp_path: Path, file: str | None, carriers: dict[str, list[str]]) -> None:
    named = tmp_path / "providers.yaml"
    named.write_text(HEAD + (file or ""))
    entries = read_providers(named, {}) if file else {}
    made = make_channels(DispatcherSettings(), entries, lambda _, rate: LocalRate(rate, lambda: 0))
    assert carriers == {channel: [lane.provider.id for lane in lanes] for channel, lanes in made.items()}
