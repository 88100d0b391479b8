"""Shopify's webhooks: orders, checkouts, carts and customers (shopify.dev/docs/api/webhooks).

A customer is the user of its id. A cart has no customer, so it is the visitor ``shopify-cart-TOKEN``, who becomes
the customer with the checkout or order that names both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.errors import InvalidEventError
from services.ingest.webhooks.base import Posted
from services.ingest.webhooks.signing import Signature

_TOPIC, _ID, _TRIGGERED = "x-shopify-topic", "x-shopify-webhook-id", "x-shopify-triggered-at"
TRACKED = {
    "orders/create": "Order Completed",
    "orders/updated": "Order Updated",
    "orders/cancelled": "Order Cancelled",
    "orders/fulfilled": "Order Shipped",
    "checkouts/create": "Checkout Started",
    "checkouts/update": "Checkout Updated",
    "carts/create": "Cart Updated",
    "carts/update": "Cart Updated",
}
IDENTIFIED = ("customers/create", "customers/update")
CONSENTED = ("customers_email_marketing_consent/update", "customers_marketing_consent/update")
"""Topics by the event that they become, those that tell of the customer, and those that tell of a consent alone.

Any other is acknowledged and dropped.
"""
_CONSENTS = {"email_marketing_consent": "email", "sms_marketing_consent": "sms"}
_STATES = {"subscribed": "granted", "unsubscribed": "revoked"}
"""Who is ``not_subscribed``, ``pending`` or ``redacted`` has stated nothing."""
_PERSON = ("email", "phone", "first_name", "last_name")


def signature(secret: bytes) -> Signature:
    """Return how Shopify proves itself."""
    return Signature(secret=secret, header="x-shopify-hmac-sha256", encoding="base64")


def read_shopify(consent: str | None, posted: Posted) -> list[dict[str, Any]]:
    """Return the calls of one webhook, none for a topic of no interest. Raises InvalidEventError.

    ``consent``: the topic that a customer's consent to marketing is for; None: it is for none.
    """
    topic, body = posted.headers.get(_TOPIC, ""), posted.body
    if topic not in TRACKED and topic not in IDENTIFIED and topic not in CONSENTED:
        return []
    if not isinstance(body, dict):
        raise InvalidEventError("a webhook of Shopify is a JSON object")
    webhook = posted.headers.get(_ID, "")
    if not webhook:
        raise InvalidEventError("a webhook of Shopify has an X-Shopify-Webhook-Id", code="no_webhook_id")
    common = {"timestamp": posted.headers.get(_TRIGGERED) or _first(body, "updated_at", "created_at")}
    if topic in CONSENTED:
        return _consents(body, _text(_first(body, "customer_id", "id")), consent, common)
    if topic in IDENTIFIED:
        user = _text(body.get("id"))
        identify = {"type": "identify", "messageId": webhook, **common, "userId": user, "traits": _traits(body)}
        return [identify, *_consents(body, user, consent, common)]
    cart = topic.startswith("carts/")
    who = _owner(body, _text(_first(body, "token", "id")) if cart else _text(body.get("cart_token")))
    track = {"type": "track", "event": TRACKED[topic], "messageId": webhook, **common, **who}
    calls = [{**track, "properties": _cart(body) if cart else _order(body, topic)}]
    traits = {} if cart else _person(body)
    if traits:
        calls.insert(0, {"type": "identify", "messageId": f"{webhook}.traits", **common, **who, "traits": traits})
    return calls


def _consents(
    body: Mapping[str, Any], user: str | None, topic: str | None, common: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return what ``body`` says of the consent of ``user`` to e-mail and SMS, as statements for ``topic``.

    Shopify repeats them whenever anything changes of a customer: the same statement has the same messageId.
    """
    calls = []
    for field, channel in _CONSENTS.items():
        said = body.get(field)
        status = _STATES.get(str(said.get("state"))) if isinstance(said, dict) else None
        if topic is None or status is None or not isinstance(said, dict):
            continue
        at = said.get("consent_updated_at") or common["timestamp"]
        call = {"type": "consent", "userId": user, "topic": topic, "channel": channel, "status": status}
        calls.append({**call, "timestamp": at, "messageId": f"shopify.{user}.{channel}.{status}.{at}"})
    return calls


def _owner(body: Mapping[str, Any], cart: str | None) -> dict[str, str | None]:
    customer = body.get("customer")
    user = _text(customer.get("id")) if isinstance(customer, dict) else None
    return {"userId": user, "anonymousId": f"shopify-cart-{cart}" if cart else None}


def _person(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an order or a checkout says of who it is from: what was typed in, and else the customer's."""
    customer = body.get("customer")
    known = customer if isinstance(customer, dict) else {}
    found = {name: body.get(name) or known.get(name) for name in _PERSON}
    return {name: value for name, value in found.items() if value}


def _traits(customer: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        **{name: customer.get(name) for name in _PERSON},
        "tags": [tag.strip() for tag in str(customer.get("tags") or "").split(",") if tag.strip()] or None,
        "createdAt": customer.get("created_at"),
        "orders_count": customer.get("orders_count"),
        "total_spent": _number(customer.get("total_spent")),
        "locale": customer.get("locale"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _cart(body: Mapping[str, Any]) -> dict[str, Any]:
    products = _products(body)
    value = sum((product.get("price") or 0) * (product.get("quantity") or 0) for product in products)
    return {"cart_id": _text(_first(body, "token", "id")), "products": products, "value": round(value, 4)}


def _order(body: Mapping[str, Any], topic: str) -> dict[str, Any]:
    """Return the order or checkout in the names of Segment's e-commerce events."""
    checkout = topic.startswith("checkouts/")
    found = {
        "checkout_id": _text(body.get("id") if checkout else body.get("checkout_id")),
        "order_id": None if checkout else _text(body.get("id")),
        "order_name": None if checkout else body.get("name"),
        "cart_id": _text(body.get("cart_token")),
        "affiliation": body.get("source_name"),
        "total": _number(body.get("total_price")),
        "subtotal": _number(body.get("subtotal_price")),
        "tax": _number(body.get("total_tax")),
        "discount": _number(body.get("total_discounts")),
        "shipping": _shipping(body),
        "coupon": _coupon(body),
        "currency": body.get("currency"),
        "url": body.get("abandoned_checkout_url") or body.get("order_status_url"),
        "reason": body.get("cancel_reason"),
        "products": _products(body),
    }
    return {name: value for name, value in found.items() if value is not None}


def _products(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    lines = body.get("line_items")
    return [_product(line) for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []


def _product(line: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "product_id": _text(line.get("product_id")),
        "variant_id": _text(line.get("variant_id")),
        "sku": line.get("sku"),
        "name": line.get("title") or line.get("name"),
        "variant": line.get("variant_title"),
        "brand": line.get("vendor"),
        "price": _number(line.get("price")),
        "quantity": line.get("quantity") if isinstance(line.get("quantity"), int) else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _shipping(body: Mapping[str, Any]) -> float | None:
    value: Any = body
    for name in ("total_shipping_price_set", "shop_money", "amount"):
        value = value.get(name) if isinstance(value, dict) else None
    return _number(value)


def _coupon(body: Mapping[str, Any]) -> str | None:
    codes = body.get("discount_codes")
    first = codes[0] if isinstance(codes, list) and codes else None
    return first.get("code") if isinstance(first, dict) else None


def _first(body: Mapping[str, Any], *names: str) -> Any:
    return next((body[name] for name in names if body.get(name)), None)


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _number(value: object) -> float | None:
    """Return an amount, which Shopify writes as a text."""
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return None
