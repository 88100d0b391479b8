"""Shopify's webhooks: verified, and turned into the shop's events in Segment's names."""

from __future__ import annotations

from typing import Any

import pytest

from shared.catalogue.model import Catalogue
from shared.catalogue.reader import standard
from shared.catalogue.validation import Judge
from shared.clock import from_iso
from shared.journeys.faults import JourneyFaultsError
from shared.messages import codec
from shared.messages.event import Event
from tests.unit.ingest.sites import Site
from tests.unit.ingest.webhooks.posting import from_shopify, sample, site_with

WEBHOOK = "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"
CART = "shopify-cart-eeafa272cebfd4b22385bc4b645e762c"


@pytest.fixture
def shop() -> Site:
    return site_with("  shop: {kind: shopify, secret: {env: HUSH}}\n")


def taken(site: Site, topic: str, body: Any) -> list[Event]:
    answer = from_shopify(site, topic, body)
    assert (200, {"success": True}) == (answer.status_code, answer.json())
    return site.events


def test_an_order_is_an_order_of_its_customer_and_tells_of_the_visitor_of_the_cart(shop: Site) -> None:
    person, order = taken(shop, "orders/create", sample("order"))
    assert ("115310627314723954", CART) == (order.user_id, order.anonymous_id) == (person.user_id, person.anonymous_id)
    assert (WEBHOOK, "Order Completed", from_iso("2026-03-02T09:59:58.123Z")) == (
        order.message_id,
        order.name,
        order.timestamp,
    )
    assert {"email": "jon@example.com", "first_name": "John", "last_name": "Smith"} == person.traits
    product = {
        "product_id": "632910392",
        "variant_id": "808950810",
        "sku": "IPOD2008PINK",
        "name": "IPod Nano - 8GB",
        "price": 199.0,
        "quantity": 1,
    }
    assert {
        "checkout_id": "981820079255243537",
        "order_id": "820982911946154508",
        "order_name": "#9999",
        "cart_id": "eeafa272cebfd4b22385bc4b645e762c",
        "affiliation": "web",
        "total": 398.0,
        "subtotal": 388.0,
        "tax": 0.0,
        "discount": 20.0,
        "shipping": 10.0,
        "coupon": "SPRING",
        "currency": "USD",
        "products": [product, {**product, "variant": "pink", "brand": "Apple"}],
    } == order.properties


def test_a_cart_is_a_visitor_who_becomes_the_customer_of_its_order(shop: Site) -> None:
    [cart] = taken(shop, "carts/update", sample("cart"))
    assert (None, CART, "Cart Updated") == (cart.user_id, cart.anonymous_id, cart.name)
    assert ("eeafa272cebfd4b22385bc4b645e762c", 59.97, 3) == (
        cart.properties["cart_id"],
        cart.properties["value"],
        cart.properties["products"][0]["quantity"],
    )


def test_a_checkout_without_an_account_tells_how_the_visitor_is_reached(shop: Site) -> None:
    person, checkout = taken(shop, "checkouts/create", sample("checkout"))
    assert (None, CART, "Checkout Started") == (checkout.user_id, checkout.anonymous_id, checkout.name)
    assert ({"email": "example@email.com"}, f"{WEBHOOK}.traits") == (person.traits, person.message_id)
    assert checkout.properties["url"].startswith("https://kikkake.myshopify.com/")
    assert "order_id" not in checkout.properties


def test_a_customer_is_identified(shop: Site) -> None:
    [customer] = taken(shop, "customers/update", sample("customer"))
    assert ("identify", "706405506930370084") == (customer.type, customer.user_id)
    assert {
        "email": "bob@biller.com",
        "first_name": "Bob",
        "last_name": "Biller",
        "tags": ["vip", "wholesale"],
        "createdAt": "2026-03-02T09:00:00+00:00",
        "orders_count": 3,
        "total_spent": 120.5,
    } == customer.traits


@pytest.mark.parametrize(
    ("topic", "body", "name"),
    [
        ("orders/updated", "order", "Order Updated"),
        ("orders/cancelled", "order", "Order Cancelled"),
        ("orders/fulfilled", "order", "Order Shipped"),
        ("checkouts/update", "checkout", "Checkout Updated"),
        ("carts/create", "cart", "Cart Updated"),
    ],
)
def test_each_topic_has_its_event(shop: Site, topic: str, body: str, name: str) -> None:
    assert name == taken(shop, topic, sample(body))[-1].name


def test_what_it_makes_is_as_the_catalogue_says(shop: Site) -> None:
    judge = Judge(standard().joined(Catalogue(mode="reject")))
    topics = {"orders/create": "order", "checkouts/update": "checkout", "carts/update": "cart"}
    for topic, body in topics.items():
        event = taken(shop, topic, sample(body))[-1]
        assert judge.doubt_properties(event.name, event.properties) is None


def test_a_quantity_that_is_none_counts_nothing(shop: Site) -> None:
    """A failure would come again for hours, and end the subscription."""
    line = {"product_id": 1, "price": "9.50", "quantity": "two"}
    [event] = taken(shop, "carts/update", {"token": "t1", "line_items": [line]})
    assert {"cart_id": "t1", "products": [{"product_id": "1", "price": 9.5}], "value": 0} == event.properties


def test_a_wrong_signature_is_refused_and_nothing_is_written(shop: Site) -> None:
    for headers in ({"X-Shopify-Hmac-Sha256": "AAAA"}, {"X-Shopify-Hmac-Sha256": ""}):
        answer = from_shopify(shop, "orders/create", sample("order"), **headers)
        assert (401, "invalid_signature") == (answer.status_code, answer.json()["code"])
    assert [] == shop.publisher.outputs


def test_a_repeat_has_the_same_ids(shop: Site) -> None:
    """Shopify repeats what was not answered within five seconds, with the same X-Shopify-Webhook-Id."""
    once = taken(shop, "orders/create", sample("order"))
    assert [event.message_id for event in once] * 2 == [
        event.message_id for event in taken(shop, "orders/create", sample("order"))
    ]


def test_other_topics_are_acknowledged_and_dropped(shop: Site) -> None:
    assert [] == taken(shop, "products/update", {"id": 1})
    assert [] == shop.publisher.outputs


@pytest.mark.parametrize(
    ("topic", "body", "code"),
    [
        ("orders/create", {"id": 1}, "no_user_anon_id"),
        ("orders/create", [1], "invalid_event"),
        ("customers/update", {"id": None}, "no_user_anon_id"),
        ("carts/update", {"line_items": "none"}, "no_user_anon_id"),
    ],
)
def test_what_cannot_be_read_is_set_aside_and_acknowledged(shop: Site, topic: str, body: Any, code: str) -> None:
    """A refusal would be repeated for hours, and end the subscription."""
    assert 200 == from_shopify(shop, topic, body).status_code
    [output] = shop.publisher.outputs
    assert ("events.dlq", code) == (output.topic, codec.DEAD_LETTERS.decode(output.value).reason)


def test_without_its_id_a_webhook_could_not_be_told_from_a_repeat(shop: Site) -> None:
    assert 200 == from_shopify(shop, "orders/create", sample("order"), **{"X-Shopify-Webhook-Id": ""}).status_code
    assert ["no_webhook_id"] == [codec.DEAD_LETTERS.decode(output.value).reason for output in shop.publisher.outputs]


def consents(state: str, at: str | None = "2026-03-01T08:00:00+00:00") -> dict[str, Any]:
    said = {"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": at}
    return {"email_marketing_consent": said, "sms_marketing_consent": {**said, "state": "not_subscribed"}}


@pytest.mark.parametrize(("state", "status"), [("subscribed", "granted"), ("unsubscribed", "revoked")])
@pytest.mark.parametrize(
    ("topic", "who"),
    [("customers/update", {"id": 7}), ("customers_email_marketing_consent/update", {"customer_id": 7})],
)
def test_a_consent_to_marketing_is_a_statement_for_the_topic_that_the_file_names(
    topic: str, who: dict[str, Any], state: str, status: str
) -> None:
    site = site_with("  shop: {kind: shopify, secret: {env: HUSH}, consent: news}\n")
    for _ in range(2):
        found = taken(site, topic, {**who, **consents(state)})
    stated = [event for event in found if event.type == "consent"]
    assert 2 == len(stated)
    assert 1 == len({event.message_id for event in stated})
    assert ("7", {"topic": "news", "channel": "email", "status": status}) == (stated[0].user_id, stated[0].properties)
    assert from_iso("2026-03-01T08:00:00Z") == stated[0].timestamp


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("kind: shopify, secret: {env: HUSH}, consent: News!", "`News!` can be no topic"),
        (
            "consent: news, token: {query: key, secret: {env: HUSH}}, events: []",
            "unknown key `consent`; known: events, hmac, kind, token",
        ),
    ],
)
def test_a_consent_that_can_be_none_is_a_fault(source: str, fault: str) -> None:
    with pytest.raises(JourneyFaultsError) as caught:
        site_with(f"  shop: {{{source}}}\n")
    assert fault in str(caught.value.faults[0])


def test_without_a_topic_in_the_file_and_without_a_statement_there_is_none(shop: Site) -> None:
    assert ["identify"] == [it.type for it in taken(shop, "customers/update", {"id": 7, **consents("subscribed")})]
    site = site_with("  shop: {kind: shopify, secret: {env: HUSH}, consent: news}\n")
    for state in ("not_subscribed", "pending", "redacted"):
        assert [] == taken(site, "customers_email_marketing_consent/update", {"customer_id": 7, **consents(state)})
