"""What the demo prints: the day in figures, and its most telling decisions one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.table import Table

from cli.demo.play import Played
from shared.clock import DAY
from shared.messages.journal import JournalRecord

_SHOWN_EACH = 4

_WHY = {
    "unreachable": "no e-mail address is known",
    "no_consent": "never consented to cart reminders",
    "max_sends": "has had its two reminders",
    "too_old": "the event reached us two hours late",
    "converted": "bought before the reminder was due",
    "consent_revoked": "withdrew consent while the cart waited",
}


def mismatches(played: Played) -> list[str]:
    """Return what does not agree between the journal and the SMTP server; nothing when all is well."""
    emails = {f"u:{visitor.user}": visitor.email or "" for visitor in played.visitors}
    told = Counter(emails[record.contact] for record in played.journal if record.decision == "sent")
    got = Counter(played.recipients)
    return [
        f"{address}: journal {told[address]}, mailbox {got[address]}"
        for address in told.keys() | got.keys()
        if told[address] != got[address]
    ]


def render(played: Played, seconds: float) -> Group:
    """Return the tables."""
    return Group(_decisions(played), "", _figures(played, seconds))


def _decisions(played: Played) -> Table:
    table = Table(title="The shop's day: some of its decisions", title_justify="left", header_style="bold")
    table.add_column("time", no_wrap=True)
    table.add_column("contact", no_wrap=True)
    table.add_column("message")
    table.add_column("", no_wrap=True)
    table.add_column("why")
    rows = sorted(_telling(played), key=lambda row: row[0])
    for at, contact, message, verdict, why in rows:
        table.add_row(_clock(at, played.opening), contact, message, verdict, why)
    return table


def _telling(played: Played) -> Iterable[tuple[int, str, str, str, str]]:
    shown: Counter[str] = Counter()
    reminded = {record.run for record in played.journal if record.decision == "send"}
    for record in played.journal:
        found = _tell(record, reminded)
        if found is None:
            continue
        kind, message, verdict, why = found
        shown[kind] += 1
        if shown[kind] <= _SHOWN_EACH:
            yield record.at, record.contact.partition(":")[2], message, verdict, why


def _tell(record: JournalRecord, reminded: set[str | None]) -> tuple[str, str, str, str] | None:
    """Return (kind, message, verdict, reason) of a decision worth a row."""
    message = f"{record.journey} / {record.step}"
    match record.decision:
        case "send" if record.step == "remind_1":
            return "first", message, "[green]sent[/]", "45 minutes of silence after the cart was filled"
        case "send" if record.step == "remind_2":
            return "second", message, "[green]sent[/]", "a day after the first, still not bought"
        case "send":
            return "transactional", message, "[green]sent[/]", "an order: at once, needs no consent"
        case "skip":
            return (
                f"skip {record.reason}",
                message,
                "[yellow]not sent[/]",
                _WHY.get(record.reason or "", record.reason or ""),
            )
        case "not_entered" if record.reason == "too_old":
            return "too_old", record.journey, "[yellow]not entered[/]", _WHY["too_old"]
        case "exited" if record.reason in ("converted", "consent_revoked") and record.run not in reminded:
            return f"exit {record.reason}", f"{record.journey} / remind_1", "[cyan]stopped[/]", _WHY[record.reason]
        case "converted":
            return "converted", message, "[bold green]bought[/]", f"after the reminder, for {record.value:,.0f}"
        case _:
            return None


def _figures(played: Played, seconds: float) -> Table:
    journal = played.journal
    sends = Counter(record.step for record in journal if record.decision == "send")
    reminded = {record.run for record in journal if record.decision == "send"}
    stopped = [r for r in journal if r.decision == "exited" and r.reason == "converted" and r.run not in reminded]
    skips = Counter(record.reason for record in journal if record.decision == "skip")
    won = [record.value or 0 for record in journal if record.decision == "converted"]
    table = Table(title="In figures", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    rows = [
        ("contacts", len(played.visitors)),
        ("events over HTTP", played.events),
        ("decisions journalled", len(journal)),
        ("first reminders", sends["remind_1"]),
        ("second reminders", sends["remind_2"]),
        ("order confirmations", sends["confirm"]),
        ("reminders stopped by a purchase", len(stopped)),
        ("not sent: no consent", skips["no_consent"]),
        ("not sent: no address", skips["unreachable"]),
        ("won back after a reminder", len(won)),
        ("revenue won back", f"{sum(won):,.0f}"),
        ("mails at the SMTP server", len(played.recipients)),
        ("time it took", f"{seconds:.0f} s"),
    ]
    for name, value in rows:
        table.add_row(name, str(value))
    return table


def _clock(at: int, opening: int) -> str:
    day = (at - opening) // DAY
    return ("" if day == 0 else f"+{day} ") + datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S")


def show(console: Console, played: Played, seconds: float) -> None:
    """Print the report."""
    console.print(render(played, seconds))
