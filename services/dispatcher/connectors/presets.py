"""Ready-made connectors, as data: what the word ``kind`` stands for. Every word of theirs may be said otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask of one service, behind the address that the file says."""

    about: str
    path: str
    body: Any
    method: str = "POST"
    answer: Mapping[str, str] = {}
    success: frozenset[int] = frozenset()


PRESETS: dict[str, Preset] = {
    # developers.hubspot.com, "Contacts": one that is there is changed. 207 is an input that was refused.
    "hubspot_contact": Preset(
        about="creates or changes the contact with the e-mail address `email`; `properties` is a mapping",
        path="/crm/v3/objects/contacts/batch/upsert",
        body={"inputs": [{"idProperty": "email", "id": "{arguments.email}", "properties": "{arguments.properties}"}]},
        answer={"id": "results.0.id"},
        success=frozenset({200, 201}),
    ),
    # "Notes", "Associations": 202 is from a note to a contact.
    "hubspot_note": Preset(
        about="writes a note of `text` to the contact `contact_id`, dated `at` (RFC 3339)",
        path="/crm/v3/objects/notes",
        body={
            "properties": {"hs_timestamp": "{arguments.at}", "hs_note_body": "{arguments.text}"},
            "associations": [
                {
                    "to": {"id": "{arguments.contact_id}"},
                    "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}],
                }
            ],
        },
        answer={"id": "id"},
    ),
    # developer.salesforce.com, REST API, "Insert or Update (Upsert) a Record Using an External ID".
    "salesforce_upsert": Preset(
        about="creates or changes the record of `object` whose external id `field` is `id`, with the mapping `values`",
        method="PATCH",
        path="/services/data/v62.0/sobjects/{arguments.object}/{arguments.field}/{arguments.id}",
        body="{arguments.values}",
        answer={"id": "id"},
        success=frozenset({200, 201, 204}),
    ),
    # developer.zendesk.com, "Tickets", "Idempotency": it keeps to the Idempotency-Key for two hours.
    "zendesk_ticket": Preset(
        about="opens a ticket of `subject` and `text` for the person `email`, called `name`",
        path="/api/v2/tickets.json",
        body={
            "ticket": {
                "subject": "{arguments.subject}",
                "comment": {"body": "{arguments.text}"},
                "requester": {"email": "{arguments.email}", "name": "{arguments.name}"},
            }
        },
        answer={"id": "ticket.id"},
        success=frozenset({200, 201}),
    ),
}
