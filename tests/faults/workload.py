"""What contacts do under the faults: three journeys whose waits take seconds, and a crowd that acts by lot."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from shared.log import Output
from shared.messages import codec
from shared.messages.command import SendCommand
from shared.messages.event import Event
from shared.messages.outcome import Outcome, OutcomeStatus, outcome_of
from shared.messages.topics import EVENTS
from tests.shopping import properties_by_lot

JOURNEYS = """
schema: journey/v1
id: cart
version: 1
trigger: {type: event, event: Product Added, max_age: 30m}
entry: {on_retrigger: update_context, reentry: {cooldown: 1s}}
context: {product: event.properties.name}
goals: [{id: recovered, event: Order Completed, window: 7d, value: event.properties.total}]
exit:
  - {reason: converted, event: Order Completed}
  - {reason: max_duration, after: 10s}
policy:
  topic: carts
  max_sends: 2
  frequency_cap: [{max: 2, per: 3s, when_capped: defer, max_defer: 3s}]
steps:
  - {id: settle, wait: {for: 1s, reset_by: [Product Added], jitter: 1s}}
  - {id: remind, send: {channels: [email], template: {email: {subject: "{{ context.product }}", text: Hello}}}}
  - id: hear
    wait_for:
      any: [{id: viewed, event: Product Viewed, then: [{id: tag, update: {increment: {views: 1}}}]}]
      timeout: {after: 1s}
  - {id: again, send: {channels: [email], template: {email: {subject: "{{ context.product }}", text: Again}}}}
  - {id: tell, emit: {event: Cart Given Up, properties: {at: {expr: now}}}}
---
schema: journey/v1
id: given_up
version: 1
trigger: {type: event, event: Cart Given Up}
entry: {reentry: {mode: always}}
policy: {purpose: transactional}
steps:
  - {id: pause, wait: {for: 1s}}
  - {id: note, update: {increment: {given_up: 1}}}
  - {id: text, send: {channels: [email], template: {email: {subject: Still there?, text: Hello}}}}
---
schema: journey/v1
id: order
version: 1
trigger: {type: event, event: Order Completed}
entry: {key: event.properties.order_id}
policy: {purpose: transactional}
steps:
  - {id: confirm, send: {channels: [email], template: {email: {subject: Thanks, text: "{{ event.properties.total }}"}}}}
"""


class Crowd:
    """``contacts`` contacts who come, say who they are, fill carts, view and buy, all mixed up."""

    def __init__(self, random: Random, contacts: int, name: str = "c") -> None:
        self._random = random
        self._contacts = contacts
        self._name = name
        self._known: set[int] = set()
        self._made = 0

    def acts(self, count: int, now: int) -> list[Event]:
        """Return the next ``count`` events, which happen at ``now``."""
        made: list[Event] = []
        while len(made) < count:
            number = self._random.randrange(self._contacts)
            if number not in self._known:
                self._known.add(number)
                made += self._introduction(f"{self._name}{number}", now)
            made.append(self.track(f"{self._name}{number}", now))
        return made

    def track(self, contact: str, now: int) -> Event:
        """Return something that ``contact`` does."""
        random = self._random
        name = random.choices(["Product Added", "Product Viewed", "Order Completed"], [5, 3, 2])[0]
        return self._event(contact, now, type="track", name=name, properties=properties_by_lot(random))

    def herd(self, number: int, now: int) -> list[Event]:
        """Return what one contact of a herd does: say who it is and fill a cart."""
        contact = f"{self._name}{number}"
        traits = {"email": f"{contact}@example.jp"}
        return [
            self._event(contact, now, type="identify", name="Identified", traits=traits),
            self._event(contact, now, type="track", name="Product Added"),
        ]

    def _introduction(self, contact: str, now: int) -> Iterator[Event]:
        traits = {"email": f"{contact}@example.jp", "timezone": "Asia/Tokyo"}
        yield self._event(contact, now, type="identify", name="Identified", traits=traits)
        if self._random.random() < 0.9:
            granted = {"topic": "carts", "status": "granted"}
            yield self._event(contact, now, type="consent", name="Consent Granted", properties=granted)

    def _event(self, contact: str, now: int, **fields: object) -> Event:
        self._made += 1
        number = f"{contact}-{self._made}"
        whole = {"message_id": number, "timestamp": now, "received_at": now, "user_id": contact, **fields}
        return msgspec.convert({"kind": "event", **whole}, Event)


def output_of(event: Event) -> Output:
    """Return the record of ``event``, as ingest writes it."""
    return Output(EVENTS, f"u:{event.user_id}".encode(), codec.encode(event))


def outcome_by_id(command: SendCommand, now: int) -> Outcome:
    """Return what a provider makes of ``command``: always the same of one command, mostly that it was sent."""
    statuses: tuple[OutcomeStatus, ...] = ("failed", "ambiguous", *("sent",) * 14)
    status = statuses[int(command.command_id[0], 16)]
    return outcome_of(command, status, now, reason="provider_rejected" if status == "failed" else None)
