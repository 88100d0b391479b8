"""Webhooks as their senders post them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import httpx2

from services.ingest.webhooks.file import parse_webhooks
from tests.unit.ingest.sites import Site

SECRET = "hush"
ENVIRONMENT = {"HUSH": SECRET}


def site_with(text: str) -> Site:
    """Return a site that takes the webhooks of the file ``text``."""
    return Site(hooks=parse_webhooks("webhooks.yaml", f"schema: webhooks/v1\nsources:\n{text}", ENVIRONMENT))


def from_shopify(site: Site, topic: str, body: Any, **headers: str) -> httpx2.Response:
    """Post ``body`` to the source ``shop``, signed as Shopify does."""
    raw = json.dumps(body).encode()
    digest = hmac.new(SECRET.encode(), raw, hashlib.sha256).digest()
    said = {
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
        "X-Shopify-Shop-Domain": "kikkake.myshopify.com",
        "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        "X-Shopify-Triggered-At": "2026-03-02T09:59:58.123456789Z",
        "Content-Type": "application/json",
    }
    return site.http.post("/v1/webhooks/shop", content=raw, headers={**said, **headers})


def sample(name: str) -> Any:
    """Return a body in the shape that Shopify documents, shortened."""
    return json.loads((Path(__file__).parent / "shopify" / f"{name}.json").read_text())
