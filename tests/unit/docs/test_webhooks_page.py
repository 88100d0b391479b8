"""docs/webhooks.md: its words, its topics, and a post that works as shown."""

from __future__ import annotations

import os
import re
import subprocess

from services.ingest.webhooks.file import RULE_WORDS, parse_webhooks
from services.ingest.webhooks.shopify import CONSENTED, IDENTIFIED, TRACKED
from shared.catalogue.reader import standard
from tests.builders import ROOT
from tests.unit.docs.pages import blocks, table
from tests.unit.ingest.sites import Site

PAGE = "docs/webhooks.md"


def test_every_topic_is_named_with_its_event() -> None:
    rows = table(PAGE, "| topic |")
    shown = {topic: row[1].strip("`") for row in rows for topic in re.findall(r"[a-z_]+/[a-z]+", row[0])}
    events = {**TRACKED, **dict.fromkeys(IDENTIFIED, "Identified")}
    assert shown == {**events, **dict.fromkeys(CONSENTED, "Consent Granted`, `Consent Revoked")}
    assert set(events.values()) <= standard().events.keys()


def test_every_word_of_a_rule_is_explained() -> None:
    assert set(RULE_WORDS) == {
        word for row in table(PAGE, "## Anything else") for word in re.findall(r"`(\w+)`", row[0])
    }


def test_the_post_that_is_shown_is_taken() -> None:
    """The shell signs it, as a reader does: by openssl, not by code of ours."""
    [console] = blocks(ROOT / PAGE, "console")
    body, signature = re.findall(r"^\$ (BODY=.*|SIGNATURE=.*)$", console, re.MULTILINE)
    script = f'{body}\n{signature}\nprintf "%s\\n%s" "$SIGNATURE" "$BODY"'
    environment = {**os.environ, "SHOPIFY_SECRET": "hush"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    signed, _, posted = done.stdout.partition("\n")
    text = "schema: webhooks/v1\nsources: {shop: {kind: shopify, secret: {env: SHOPIFY_SECRET}}}\n"
    site = Site(hooks=parse_webhooks("webhooks.yaml", text, environment))
    headers = {"X-Shopify-Hmac-Sha256": signed, "X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": "w1"}
    assert 200 == site.http.post("/v1/webhooks/shop", content=posted, headers=headers).status_code
    assert ["Identified", "Order Completed"] == [event.name for event in site.events]
