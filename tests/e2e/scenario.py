"""One scenario for every host: carts are filled over HTTP, some are bought, the rest are reminded by e-mail.

The waits are short because the clock is the real one; everything else is as a shop has it.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import httpx2
import msgspec

from shared.journeys.files import load_definitions
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.command import SendCommand
from shared.messages.journal import JournalRecord
from shared.messages.topics import INCARNATION_KEY
from tests.oracle import Verdict, judge

WRITE_KEY = "wk_scenario"

CART = """
schema: journey/v1
id: cart
version: 1
trigger: {type: event, event: Product Added}
context: {product: event.properties.name}
goals: [{id: recovered, event: Order Completed, window: 7d, value: event.properties.total}]
exit: [{reason: converted, event: Order Completed}]
policy: {topic: cart_reminders, max_sends: 2}
steps:
  - {id: settle, wait: {for: 2s, reset_by: [Product Added]}}
  - id: remind_1
    send:
      channels: [email]
      expires: 10m
      template: {email: {subject: "{{ context.product }}?", text: "Hello {{ contact.first_name }}"}}
  - {id: pause, wait: {for: 3s}}
  - id: remind_2
    send:
      channels: [email]
      expires: 10m
      template: {email: {subject: "{{ context.product }}!", text: "Hello {{ contact.first_name }}"}}
"""


class Shop(msgspec.Struct, frozen=True):
    """Who does what: ``leavers`` fill a cart and leave, ``buyers`` buy at once, ``quiet`` never consented."""

    leavers: int = 40
    buyers: int = 20
    quiet: int = 5

    def contacts(self) -> list[str]:
        """Return every contact's userId."""
        kinds = (("leaver", self.leavers), ("buyer", self.buyers), ("quiet", self.quiet))
        return [f"{kind}{number}" for kind, count in kinds for number in range(count)]


def write_journeys(folder: Path) -> Path:
    """Write the scenario's journey file and return its folder."""
    journeys = folder / "journeys"
    journeys.mkdir(exist_ok=True)
    (journeys / "cart.yaml").write_text(CART, encoding="utf-8")
    return journeys


class Client:
    """A site's server: posts each call until it is accepted, as every SDK does."""

    def __init__(self, url: str, *, patience: float = 60.0) -> None:
        transport = httpx2.HTTPTransport(retries=0)
        self._http = httpx2.Client(base_url=url, auth=(WRITE_KEY, ""), timeout=10, transport=transport)
        self._patience = patience
        self.accepted: list[str] = []
        self._number = 0

    def post(self, path: str, **body: object) -> None:
        """Post until 200; the messageId stays the same, so a repeat is no second event."""
        self._number += 1
        message_id = f"m{self._number}"
        deadline = time.monotonic() + self._patience
        while True:
            try:
                answer = self._http.post(f"/v1/{path}", json={"messageId": message_id, **body})
                if answer.status_code == 200:
                    self.accepted.append(message_id)
                    return
                problem = f"{answer.status_code} {answer.text}"
            except httpx2.TransportError as error:
                problem = repr(error)
            assert time.monotonic() < deadline, f"not accepted: {problem}"
            time.sleep(0.05)

    def introduce(self, contact: str) -> None:
        """Identify and, but for the quiet, consent."""
        self.post("identify", userId=contact, traits={"email": f"{contact}@example.jp", "first_name": contact.title()})
        if not contact.startswith("quiet"):
            self.post("consent", userId=contact, topic="cart_reminders", status="granted")

    def fill_cart(self, contact: str) -> None:
        """Put something into the cart; a buyer buys at once."""
        self.post("track", userId=contact, event="Product Added", properties={"name": "Kettle", "cart_id": contact})
        if contact.startswith("buyer"):
            self.post("track", userId=contact, event="Order Completed", properties={"total": 5000})


def read_mails(file: Path) -> list[Mapping[str, object]]:
    """Return the messages that the SMTP process accepted (a last line cut by a kill was not acknowledged)."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_bytes().rpartition(b"\n")[0].splitlines()]


def decoded_journal(records: Iterable[LogRecord]) -> dict[str, JournalRecord]:
    """Return the journal by id; what was written twice must be the same both times."""
    found: dict[str, JournalRecord] = {}
    for record in records:
        if record.key == INCARNATION_KEY:
            continue
        entry = codec.JOURNAL.decode(record.value)
        assert found.setdefault(entry.id, entry) == entry, "one id, two decisions"
    return found


def decoded_commands(records: Iterable[LogRecord]) -> dict[str, SendCommand]:
    """Return the commands by id; what was written twice must be the same both times."""
    found: dict[str, SendCommand] = {}
    for record in records:
        if record.key == INCARNATION_KEY:
            continue
        entry = codec.COMMANDS.decode(record.value)
        assert isinstance(entry, SendCommand)
        assert found.setdefault(entry.command_id, entry) == entry, "one id, two commands"
    return found


def judge_partitions(journeys: Path, partitions: Iterable[Sequence[LogRecord]]) -> Verdict:
    """Return what the pure core decides over every partition's events."""
    whole = Verdict()
    for log in partitions:
        verdict = judge(load_definitions(journeys).journeys, log)
        whole.journal += verdict.journal
        whole.commands += verdict.commands
        whole.cancels += verdict.cancels
        whole.states.update(verdict.states)
    return whole


def assert_same_decisions(verdict: Verdict, journal: Mapping[str, JournalRecord]) -> None:
    """Every decision of the host, one by one, is the pure core's over the same log."""
    expected = {record.id: record for record in verdict.journal}
    assert expected.keys() == journal.keys(), _difference(expected, journal)
    for identity, record in expected.items():
        assert record == journal[identity]


def assert_delivered(shop: Shop, verdict: Verdict, mails: Sequence[Mapping[str, object]]) -> int:
    """Leavers got both reminders once, buyers and the quiet none; returns how many sends were declared ambiguous.

    An ambiguous send is one that was in the server's hands when a process died: 0 or 1 mail, and listed as such.
    """
    expected = {command.command_id: command for command in verdict.commands}
    ambiguous = {str(record.command_id) for record in verdict.journal if record.decision == "ambiguous"}
    sent = {str(record.command_id) for record in verdict.journal if record.decision == "sent"}
    got = Counter(_command_of(mail) for mail in mails)
    assert {} == {command: times for command, times in got.items() if times > 1}, "somebody got a message twice"
    assert got.keys() <= expected.keys(), "somebody got a message that nobody decided"
    assert sent <= got.keys(), "a message was reported sent and never arrived"
    assert got.keys() <= sent | ambiguous, "a message arrived and was reported neither sent nor ambiguous"
    reminded = Counter(command.contact for command in verdict.commands)
    assert {f"u:leaver{number}": 2 for number in range(shop.leavers)} == dict(reminded)
    assert expected.keys() == sent | ambiguous, "a message was decided and has no outcome"
    return len(ambiguous)


def pending_work(url: str) -> float:
    """Return timers pending plus commands without outcome over all partitions, as the /metrics at ``url`` tells."""
    with httpx2.Client(timeout=5) as client:
        lines = client.get(url).text.splitlines()
    counted = [line for line in lines if line.startswith(("kikkake_timers_pending{", "kikkake_commands_pending{"))]
    if not counted:
        return math.inf  # no partition has reported yet
    return sum(float(line.rpartition(" ")[2]) for line in counted)


def _command_of(mail: Mapping[str, object]) -> str:
    pairs = mail["headers"]
    assert isinstance(pairs, list)
    return str(dict(pairs)["Message-ID"]).strip("<>").partition("@")[0]


def _difference(expected: Mapping[str, JournalRecord], journal: Mapping[str, JournalRecord]) -> str:
    missing = [expected[key] for key in expected.keys() - journal.keys()]
    extra = [journal[key] for key in journal.keys() - expected.keys()]
    return f"missing {len(missing)}: {missing[:3]}; not decided by the core {len(extra)}: {extra[:3]}"
