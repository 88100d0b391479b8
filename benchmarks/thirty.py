"""Thirty journeys of a shop, generated: the cart journey and twenty-nine others of five kinds of trigger.

Each event of the shop's day concerns the cart journey and two or three of the others, the goals of all where a message
went out before; the rest wait for events that the day does not have.
"""

from __future__ import annotations

from shared.journeys.model import Journey
from tests.builders import a_journey

EVENTS = (
    "Product Viewed",
    "Product Added",
    "Order Completed",
    *("Signed Up", "Quiz Finished", "Ticket Opened", "Coupon Claimed", "Wishlist Shared", "Return Requested"),
    *("Review Written", "Plan Changed", "Store Visited", "Points Earned", "Seat Booked"),
)
TRIGGERS = (
    '{{type: threshold, aggregate: count, event: {event}, within: 7d, is: ">= 1000"}}',
    "{{type: absence, after: {{event: {event}}}, missing: {{event: Support Called}}, within: 30d}}",
    "{{type: event, event: {event}, max_age: 1h}}",
    "{{type: inactivity, events: [{event}], for: 180d}}",
    "{{type: event, event: {event}, where: event.properties.price > 100000}}",
)
"""Product Viewed falls to a threshold, an inactivity and a filter that it fails; Product Added to an absence and a
threshold; Order Completed to an event, which starts a run, and an absence."""
JOURNEY = """
schema: journey/v1
id: {id}
version: 1
trigger: {trigger}
entry: {{where: {{not: {{performed: {{event: Unsubscribed, within: 30d}}}}}}, reentry: {{cooldown: 30d}}}}
goals: [{{id: bought, event: Order Completed, window: 7d, value: event.properties.total}}]
exit:
  - {{reason: converted, event: Order Completed}}
  - {{reason: max_duration, after: 60d}}
policy: {{topic: {id}}}
steps:
  - {{id: settle, wait: {{for: 2h, reset_by: [{event}]}}}}
  - id: hear
    wait_for:
      any: [{{id: back, event: {event}, then: [{{id: tag, update: {{add_tags: [{id}]}}}}]}}]
      timeout: {{after: 3d}}
  - {{id: write, send: {{channels: [email], template: {{email: {{subject: "{{{{ contact.id }}}}", text: Hello}}}}}}}}
"""


def thirty() -> list[Journey]:
    """Return the journeys."""
    return [a_journey(), *(_generated(number) for number in range(29))]


def _generated(number: int) -> Journey:
    event = EVENTS[number % len(EVENTS)]
    trigger = TRIGGERS[number % len(TRIGGERS)].format(event=event)
    return a_journey(JOURNEY.format(id=f"{event.lower().replace(' ', '_')}_{number}", trigger=trigger, event=event))
