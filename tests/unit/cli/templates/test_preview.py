"""``kikkake templates preview``: what a contact would get, with its own data or with invented ones."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from services.ingest.links.pictures import draw
from shared.clock import DAY
from shared.errors import ConfigurationError
from shared.journeys.faults import JourneyFaultsError
from shared.rendering.countdown import Countdown

TEMPLATE = """\
schema: template/v1
id: a/b
locales:
  en:
    email:
      subject: "Hi {{ contact.first_name }}"
      preheader: "For {{ contact.first_name }}"
      html: "<p>{{ event.properties.total | times: 2 }}</p>"
      text: "On {{ event.properties.at | date: '%d' }}"
    sms: {text: "{% for item in event.properties.items %}{{ item.name }} {% endfor %}"}
  ja:
    email: {subject: "{{ contact.first_name }}さま", text: 本文}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "templates/a").mkdir(parents=True)
    (tmp_path / "templates/a/b.yaml").write_text(TEMPLATE)
    return tmp_path


def preview(folder: Path, *options: str, template: str = "a/b") -> Result:
    return CliRunner().invoke(cli, ["templates", "preview", template, "--journeys", str(folder), *options])


def data_file(folder: Path, text: str) -> str:
    file = folder / "data.yaml"
    file.write_text(text)
    return str(file)


def test_it_shows_something_before_there_is_any_data(folder: Path) -> None:
    result = preview(folder)
    assert 0 == result.exit_code
    assert (
        """\
a/b, with invented data (yours: --data FILE)

email (en)
  subject: Hi Aki
  preheader: For Aki
"""
        in result.output
    )
    assert "  text:\n    On 02\n" in result.output
    assert "sms (en)\n  text:\n    [name] [name]" in result.output


def test_a_channel_comes_from_the_next_locale_that_has_it(folder: Path) -> None:
    output = preview(folder, "--locale", "ja-JP").output
    assert "email (ja)\n  subject: Akiさま\n" in output
    assert "sms (en)\n" in output


def test_a_contact_without_a_locale_has_the_workspaces(folder: Path) -> None:
    (folder / "workspace.yaml").write_text("schema: workspace/v1\nlocale: ja-JP\n")
    assert "email (ja)\n" in preview(folder).output


def test_given_data_are_used_as_they_are(folder: Path) -> None:
    file = data_file(
        folder,
        "contact: {first_name: Ben}\n"
        'event: {properties: {total: 7.5, at: "2026-03-01T20:00:00Z", items: [{name: Cup}, {name: Bowl}]}}\n',
    )
    result = preview(folder, "--data", file, "--format", "json")
    assert 0 == result.exit_code
    told = json.loads(result.output)
    assert told["invented"] is False
    assert "Cup Bowl " == told["channels"]["sms"]["parts"]["text"]
    assert "<p>15.0</p>" in told["channels"]["email"]["parts"]["html"]
    assert "On 02" == told["channels"]["email"]["parts"]["text"]


def test_what_they_lack_is_reported_as_it_would_be_for_a_contact(folder: Path) -> None:
    file = data_file(folder, "contact: {email: a@example.jp}\nevent: {properties: {items: []}}\n")
    result = preview(folder, "--data", file)
    assert 1 == result.exit_code
    assert "email (en)\n  skipped, template_error: subject: 'contact.first_name' is undefined\n" in result.output
    assert {"locale": "en", "error": "subject: 'contact.first_name' is undefined"} == json.loads(
        preview(folder, "--data", file, "--format", "json").output
    )["channels"]["email"]


def test_one_channel_alone(folder: Path) -> None:
    output = preview(folder, "--channel", "sms").output
    assert "sms (en)" in output
    assert "email" not in output


def test_html_goes_to_a_file(folder: Path) -> None:
    out = folder / "mail.html"
    result = preview(folder, "--format", "html", "--out", str(out))
    assert (0, "") == (result.exit_code, result.output)
    assert "<p>6</p>" in out.read_text()


@pytest.mark.parametrize(
    ("options", "template", "expected"),
    [
        ((), "a/c", "there is no template `a/c` in "),
        (("--channel", "line"), "a/b", "template a/b has no text for line; known: email, sms"),
        (("--locale", "ja", "--format", "html"), "a/b", "template a/b has no HTML: its e-mail has neither `mjml` nor"),
    ],
)
def test_who_asks_for_what_is_not_there_is_told(
    folder: Path, options: tuple[str, ...], template: str, expected: str
) -> None:
    result = preview(folder, *options, template=template)
    assert isinstance(result.exception, ConfigurationError)
    assert expected in str(result.exception)


def test_html_that_cannot_be_filled_in_is_an_error_with_its_reason(folder: Path) -> None:
    result = preview(folder, "--format", "html", "--data", data_file(folder, "contact: {}\n"))
    assert "a/b, email (en): subject: 'contact.first_name' is undefined" == str(result.exception)


def test_a_template_or_data_with_faults_is_told_with_its_line(folder: Path) -> None:
    broken = preview(folder, "--data", data_file(folder, "contact: [\n"))
    assert isinstance(broken.exception, JourneyFaultsError)
    assert "data.yaml:2:1: " in str(broken.exception)
    (folder / "templates/a/b.yaml").write_text(TEMPLATE.replace("contact.first_name", "contct.first_name"))
    assert "b.yaml:6:23: unknown `contct`" in str(preview(folder).exception)


def test_data_that_is_not_utf_8_is_told_so(folder: Path) -> None:
    file = folder / "data.yaml"
    file.write_bytes(b"contact: {name: \xff}\n")
    assert f"{file}: not UTF-8; save the file as UTF-8" == str(preview(folder, "--data", str(file)).exception)


def test_a_folder_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    assert "there is no journeys folder" in str(preview(tmp_path / "nowhere").exception)


def test_the_picture_of_a_countdown_is_in_the_preview(folder: Path) -> None:
    """As it is at the data's own ``now``: two days before the time that is invented."""
    (folder / "templates" / "a" / "clock.yaml").write_text(
        """\
schema: template/v1
id: a/clock
locales:
  en:
    email: {subject: Hi, text: Hi, html: '<img src="{{ data.ends_at | countdown }}">'}
"""
    )
    html = preview(folder, "--format", "html", template="a/clock").output
    [picture] = re.findall(r'<img src="data:image/gif;base64,([^"]+)">', html)
    assert draw(Countdown(0, 0x1F2933, 0xFFFFFF), 2 * DAY) == b64decode(picture)
