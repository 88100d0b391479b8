"""What no catalogue knows is a warning with a suggestion; a context value that nobody sets is a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.shared.lint.folders import journey, told

ADD = "; correct it or add it to catalogue.yaml"


def texts(words: str) -> str:
    return "[{id: a, send: {channels: [email], template: {email: {subject: Hi, text: '" + words + "'}}}}]"


DOUBTS = [
    (
        {"trigger": "{type: event, event: Sgned Up}"},
        ("4: warning: no catalogue knows the event `Sgned Up`; did you mean `Signed Up`?"),
    ),
    (
        {"trigger": "{type: event, event: Kettle Boiled}"},
        "4: warning: no catalogue knows the event `Kettle Boiled`" + ADD,
    ),
    (
        {"trigger": "{type: event, event: Completed Order}"},
        ("4: warning: `Completed Order` is another name of `Order Completed`, under which it comes in; ask for that"),
    ),
    (
        {"trigger": "{type: event, event: Order Completed, where: event.properties.totl > 5}"},
        ("4: warning: no catalogue knows the property `totl` of `Order Completed`; did you mean `total`?"),
    ),
    (
        {"trigger": "{type: inactivity, events: [Order Completd], for: 1d}"},
        ("4: warning: no catalogue knows the event `Order Completd`; did you mean `Order Completed`?"),
    ),
    (
        {
            "trigger": "{type: threshold, aggregate: sum, event: Order Completed, field: event.properties.qqq,"
            " is: '> 5'}"
        },
        "4: warning: no catalogue knows the property `qqq` of `Order Completed`" + ADD,
    ),
    (
        {"exit": "[{reason: x, event: Ordr Completed}]"},
        ("7: warning: no catalogue knows the event `Ordr Completed`; did you mean `Order Completed`?"),
    ),
    (
        {"exit": "[{reason: x, event: Order Completed, where: event.properties.quantitty > 1}]"},
        "7: warning: no catalogue knows the property `quantitty` of `Order Completed`" + ADD,
    ),
    ({"goals": "[{id: g, event: Bought}]"}, "7: warning: no catalogue knows the event `Bought`" + ADD),
    (
        {"goals": "[{id: g, event: Order Completed, value: event.properties.totals}]"},
        ("7: warning: no catalogue knows the property `totals` of `Order Completed`; did you mean `total`?"),
    ),
    (
        {"exit": "[{reason: x, if: {performed: {event: Prodct Added, since: entry}}}]"},
        ("7: warning: no catalogue knows the event `Prodct Added`; did you mean `Product Added`?"),
    ),
    ({"context": "{x: contact.emial}"}, "7: warning: no catalogue knows the trait `emial`; did you mean `email`?"),
    (
        {"steps": "[{id: a, wait: {for: 1h, reset_by: [Zzz]}}]"},
        "7: warning: no catalogue knows the event `Zzz`" + ADD,
    ),
    (
        {"steps": "[{id: a, wait: {until: {property: contact.brithday}}}]"},
        ("7: warning: no catalogue knows the trait `brithday`; did you mean `birthday`?"),
    ),
    (
        {"steps": "[{id: a, branch: [{if: contact.vip == true, then: []}]}]"},
        "7: warning: no catalogue knows the trait `vip`" + ADD,
    ),
    (
        {"steps": "[{id: a, update: {set: {x: {expr: event.properties.emial}}}}]"},
        ("7: warning: no catalogue knows the property `emial` of `Signed Up`; did you mean `email`?"),
    ),
    (
        {"steps": "[{id: a, wait_for: {any: [{id: x, event: Paid}], timeout: {after: 1d}}}]"},
        "7: warning: no catalogue knows the event `Paid`" + ADD,
    ),
    (
        {"steps": texts("{{ contact.nmae }}")},
        ("7: warning: no catalogue knows the trait `nmae` (in template `a`); did you mean `name`?"),
    ),
    (
        {"steps": texts("{% if contact.city %}x{% endif %}")},
        "7: warning: no catalogue knows the trait `city` (in template `a`)" + ADD,
    ),
    (
        {"steps": texts("{{ event.properties.frst_name }}")},
        (
            "7: warning: no catalogue knows the property `frst_name` (in"
            " template `a`) of `Signed Up`; did you mean `first_name`?"
        ),
    ),
    (
        {"invariants": "[{no_send_after: Ordr Completed}]"},
        ("7: warning: no catalogue knows the event `Ordr Completed`; did you mean `Order Completed`?"),
    ),
    (
        {"context": "{product: event.properties.type}", "steps": texts("{{ context.prodct }}")},
        ("8: fault: nothing sets `context.prodct` (in template `a`); did you mean `product`?"),
    ),
    (
        {"steps": texts("{{ data.coupon }}")},
        "7: fault: nothing sets `data.coupon` (in template `a`); add it to `data`",
    ),
    (
        {"exit": "[{reason: x, event: Order Completed, where: context.a == 1}]"},
        ("7: fault: nothing sets `context.a`; add it to `context`"),
    ),
]


@pytest.mark.parametrize(("top", "expected"), DOUBTS)
def test_what_nobody_knows_is_said_where_it_is_asked(top: dict[str, str], expected: str, tmp_path: Path) -> None:
    assert [f"1:{expected}"] == told(tmp_path, journey("a", **top))


def test_what_two_events_have_in_common_is_a_property_of_both(tmp_path: Path) -> None:
    trigger = "{type: absence, after: {event: Checkout Started}, missing: {event: Coupon Denied}, within: 1h,"
    found = told(tmp_path, journey("a", trigger=f"{trigger} match: [order_id, tax]}}"))
    assert [f"1:4: warning: no catalogue knows the property `tax` of `Coupon Denied`{ADD}"] == found


KNOWN = [
    {"steps": "[{id: a, update: {set: {vip: true}}}, {id: b, branch: [{if: contact.vip == true, then: []}]}]"},
    {
        "steps": "[{id: a, emit: {event: Told, properties: {n: 1}}}]",
        "exit": "[{reason: x, event: Told, where: event.properties.n == 1}]",
    },
    {"steps": texts("{{ contact.id }} {{ contact.email }} {{ event.name }} {{ journey.id }}")},
    {"steps": texts("{% assign x = contact.name %}{{ x }}{% for p in event.properties.type %}{{ p.q }}{% endfor %}")},
    {"exit": "[{reason: x, if: event.properties.anything == 1}]"},
    {"trigger": "{type: event, event: Identified, where: event.properties.anything == 1}"},
]


@pytest.mark.parametrize("top", KNOWN)
def test_what_a_journey_makes_itself_and_what_may_be_anything_is_no_doubt(top: dict[str, str], tmp_path: Path) -> None:
    assert [] == told(tmp_path, journey("a", **top))


def test_the_catalogue_beside_the_journeys_counts(tmp_path: Path) -> None:
    text = journey(
        "a", texts("{{ contact.vip }}"), trigger="{type: event, event: Boiled, where: event.properties.l > 1}"
    )
    catalogue = "schema: catalogue/v1\nevents: {Boiled: {properties: {l: number}}}\ntraits: {vip: boolean}\n"
    assert [] == told(tmp_path, text, catalogue=catalogue)


def test_a_broken_catalogue_is_a_fault_of_its_own(tmp_path: Path) -> None:
    found = told(tmp_path, journey("a"), catalogue="schema: catalogue/v1\ntraits: {vip: bool}\n")
    assert ["catalogue:2: fault: unknown type `bool`; did you mean `boolean`?"] == found


def test_of_two_trigger_events_one_is_enough_to_have_the_property(tmp_path: Path) -> None:
    top = "[{type: event, event: Order Completed}, {type: event, event: Signed Up}]"
    text = journey("a", texts("{{ event.properties.total }}")).replace(
        "trigger: {type: event, event: Signed Up}", f"triggers: {top}"
    )
    assert [] == told(tmp_path, text)


def test_an_audience_is_asked_about_its_data_too(tmp_path: Path) -> None:
    (tmp_path / "audiences").mkdir()
    text = (
        "schema: audience/v1\nid: vips\nwhere: {all: [contact.vpi == true, {performed: {event: Bought, within: 1d}}]}\n"
    )
    (tmp_path / "audiences/vips.yaml").write_text(text)
    assert [
        f"vips:1: warning: no catalogue knows the event `Bought`{ADD}",
        f"vips:1: warning: no catalogue knows the trait `vpi`{ADD}",
    ] == told(tmp_path, journey("a"))
