"""Parses the steps that lead elsewhere: ``branch``, ``experiment``, ``goto``, ``exit``."""

from __future__ import annotations

from shared.journeys.conditions import parse_condition
from shared.journeys.ids import parse_id
from shared.journeys.model import Branch, Case, Exit, Experiment, Goto, Step, Variant, Winner
from shared.journeys.predicate import Condition
from shared.journeys.reader import Node
from shared.journeys.reading import Reading


def parse_branch(name: str, node: Node, reading: Reading) -> Step | None:
    """Return the step ``branch``."""
    items = node.items()
    for item in items[:-1]:
        if item.is_a(dict) and "else" in item.value:
            item.fault("`else` is the last way of a branch")
    if node.is_a(list) and not items:
        node.fault("a branch has at least one way")
    ways = (_case(item, reading) for item in items)
    return Branch(id=name, cases=tuple(way for way in ways if way is not None))


def _case(node: Node, reading: Reading) -> Case | None:
    fields = node.fields(("if", "then", "else"))
    if fields.keys() not in ({"if", "then"}, {"else"}):
        if node.is_a(dict):
            node.fault("a way of a branch is `if` with `then`, or `else`")
        return None
    if "else" in fields:
        return Case(condition=None, then=reading.block(fields, "else"))
    condition: Condition | None = parse_condition(fields["if"])
    then = reading.block(fields, "then")
    return None if condition is None else Case(condition=condition, then=then)


def parse_experiment(name: str, node: Node, reading: Reading) -> Step | None:
    """Return the step ``experiment``."""
    fields = node.fields(("salt", "variants", "winner"), required=("salt", "variants"))
    variants = fields["variants"].each(lambda item: _variant(item, reading)) if "variants" in fields else ()
    if "variants" in fields and fields["variants"].value == []:
        fields["variants"].fault("an experiment has at least one variant")
    if variants and sum(variant.weight for variant in variants) == 0:
        fields["variants"].fault("at least one variant needs a weight above 0")
    if len({variant.id for variant in variants}) != len(variants):
        fields["variants"].fault("a variant id is used twice")
    return Experiment(
        id=name,
        salt=fields["salt"].text() if "salt" in fields else "",
        variants=variants,
        winner=_winner(fields["winner"]) if "winner" in fields else None,
    )


def _variant(node: Node, reading: Reading) -> Variant | None:
    fields = node.fields(("id", "weight", "then"), required=("id", "weight"))
    if not {"id", "weight"} <= fields.keys():
        return None
    weight = fields["weight"].integer(0, 10_000)
    return Variant(id=parse_id(fields["id"]), weight=weight, then=reading.block(fields, "then"))


def _winner(node: Node) -> Winner | None:
    fields = node.fields(("goal", "after", "min_samples"), required=("goal", "after"))
    if not {"goal", "after"} <= fields.keys():
        return None
    return Winner(
        goal=parse_id(fields["goal"]),
        after=fields["after"].duration(least=1),
        min_samples=fields["min_samples"].integer(1, 1_000_000) if "min_samples" in fields else 100,
    )


def parse_goto(name: str, node: Node, _reading: Reading) -> Step | None:
    """Return the step ``goto``."""
    fields = node.fields(("step", "max_visits"), required=("step",))
    if "step" not in fields:
        return None
    visits = fields["max_visits"].integer(1, 1000) if "max_visits" in fields else None
    return Goto(id=name, step=fields["step"].text(), max_visits=visits)


def parse_exit(name: str, node: Node, _reading: Reading) -> Step | None:
    """Return the step ``exit``."""
    fields = node.fields(("reason",), required=("reason",))
    return Exit(id=name, reason=parse_id(fields["reason"]) if "reason" in fields else "")
