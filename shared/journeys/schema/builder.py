"""The walk over the structs: each to a named schema, with what the table says otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

import msgspec
from msgspec import inspect

from shared.journeys.model import ExitRule, Step, Trigger
from shared.journeys.predicate import Channel, Condition, Expression
from shared.journeys.promises import Invariant
from shared.journeys.schema.descriptions import prose, sentences_about
from shared.journeys.schema.forms import ID, NAMED, STRUCTS, TEXT, VALUE
from shared.journeys.schema.wording import Schema, Word, Wording, listed, mapping, named, one_of, ref

UNIONS: dict[str, Any] = {
    "condition": Condition,
    "step": Step,
    "trigger": Trigger,
    "exit_rule": ExitRule,
    "invariant": Invariant,
}
_BY_MEMBERS = {frozenset(get_args(union)): name for name, union in UNIONS.items()}
_NAME = re.compile(r"(?<=[a-z])(?=[A-Z])")
_REF = re.compile(r"^#/\$defs/([a-z_]+)")


def name_of(struct: type) -> str:
    """Return the name under which ``struct`` stands in ``$defs``."""
    return _NAME.sub("_", struct.__name__).lower()


class Builder:
    """Makes schemas by one table of wordings, and gives the definitions that they refer to."""

    def __init__(self, table: Mapping[type, Wording]) -> None:
        """``table`` holds the wording of each struct that is not written as its fields say."""
        self._table = table
        members = [struct for union in UNIONS.values() for struct in get_args(union)]
        self._structs: dict[str, type] = {name_of(struct): struct for struct in (*table, *members)}

    def document(self, root: Schema, title: str) -> Schema:
        """Return ``root`` as a schema by itself, with every definition that it needs."""
        found: dict[str, Schema] = {}
        waiting = _references(root)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self._definition(name)
                waiting |= _references(found[name])
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": title,
            **root,
            "$defs": dict(sorted(found.items())),
        }

    def _definition(self, name: str) -> Schema:
        if name in NAMED:
            return NAMED[name]
        if name == "channels":
            return listed(choices(Channel), least=1) | {"uniqueItems": True}
        if name in self._structs:
            return self.struct(self._structs[name])
        members = [struct for struct in get_args(UNIONS[name]) if struct not in STRUCTS]
        if name == "trigger":
            return {"anyOf": [self._typed(struct) for struct in members]}
        if name == "exit_rule":
            return self._joined(members)
        outside = {"id": ID} if name == "step" else {}
        bodies = {_tag(struct): self._body(struct) for struct in members}
        keyed = mapping({**outside, **bodies}, tuple(outside), **one_of(*bodies))
        return {"anyOf": [ref("expression"), keyed]} if Expression in get_args(UNIONS[name]) else keyed

    def _wording(self, struct: type) -> Wording:
        return self._table.get(struct, Wording())

    def _reference(self, struct: type) -> Schema:
        self._structs.setdefault(name_of(struct), struct)
        return ref(name_of(struct))

    def struct(self, struct: type, keys: tuple[str, ...] | None = None) -> Schema:
        """Return the mapping that ``struct`` is written as; of its keys only ``keys``, where they are given."""
        properties, needed = self._properties(struct)
        if keys is not None:
            properties = {key: properties[key] for key in keys}
        return mapping(properties, tuple(needed), **self._wording(struct).rules) | {"description": self._about(struct)}

    def _typed(self, struct: type) -> Schema:
        """Return a member of a union that is told by its key ``type``."""
        made = self.struct(struct)
        made["properties"] = {"type": {"const": _tag(struct)}, **made["properties"]}
        made["required"] = ["type", *made.get("required", ())]
        return made

    def _joined(self, members: list[type]) -> Schema:
        """Return the one mapping of a union whose members are told by a key of their own."""
        properties: dict[str, Schema] = {}
        common: list[set[str]] = []
        for struct in members:
            own, needed = self._properties(struct)
            properties |= own
            common.append(set(needed))
        told = [next(key for key in own if key in ("event", "if", "after", "audience_left")) for own in common]
        return mapping(properties, tuple(sorted(set.intersection(*common))), **one_of(*told)) | {
            "dependentRequired": {"where": ["event"]}
        }

    def _body(self, struct: type) -> Schema:
        """Return what stands under the key that tells ``struct`` from the others of its union."""
        wording = self._wording(struct)
        bare = wording.bare
        if bare is None:
            return {**ref(name_of(struct)), "description": self._about(struct)}
        [field] = [field for field in _fields(struct) if field.name == bare]
        [word] = wording.words.get(bare, (Word(),))
        form = self._form(field.type, f"{struct.__name__}.{bare}") if word.form is None else word.form
        return {**form, "description": prose(struct, {bare: _tag(struct)})}

    def _about(self, struct: type) -> str:
        wording = self._wording(struct)
        keys = {
            field: words[0].key
            for field, words in wording.words.items()
            if len(words) == 1 and words[0].key is not None and words[0].about is None
        }
        return wording.about or prose(struct, keys)

    def _properties(self, struct: type) -> tuple[dict[str, Schema], list[str]]:
        wording = self._wording(struct)
        properties: dict[str, Schema] = {}
        needed: list[str] = []
        for key, more in wording.more.items():
            properties[key] = {**(more.form or {}), **({"description": more.about} if more.about else {})}
            needed += [key] if more.needed else []
        for field in _fields(struct):
            for word in wording.words.get(field.name, (Word(),)):
                key = word.key or field.name
                form = self._form(field.type, f"{struct.__name__}.{field.name}") if word.form is None else word.form
                about = word.about or sentences_about(self._about(struct), key)
                properties[key] = {**form, **({"description": about} if about else {})}
                needed += [key] if (field.required if word.needed is None else word.needed) else []
        return properties, needed

    def _form(self, kind: inspect.Type, at: str) -> Schema:
        """Return the form of a field by its type alone. Raises LookupError where a type can be written in many ways."""
        match kind:
            case inspect.StrType():
                return TEXT
            case inspect.BoolType():
                return {"type": "boolean"}
            case inspect.LiteralType(values=values):
                return {"enum": list(values)}
            case inspect.VarTupleType(item_type=item):
                return listed(self._form(item, at))
            case inspect.DictType(value_type=value):
                return named(self._form(value, at))
            case inspect.StructType(cls=struct):
                return STRUCTS[struct] if struct in STRUCTS else self._reference(struct)
            case inspect.UnionType(types=types):
                return self._union(types, at)
            case _:
                raise LookupError(f"{at}: say in the table of words how it is written")

    def _union(self, types: tuple[inspect.Type, ...], at: str) -> Schema:
        rest = [one for one in types if not isinstance(one, inspect.NoneType)]
        structs = frozenset(one.cls for one in rest if isinstance(one, inspect.StructType))
        if structs in _BY_MEMBERS:
            return ref(_BY_MEMBERS[structs])
        if len(rest) == 1:
            return self._form(rest[0], at)
        if structs == {Expression}:
            return VALUE
        raise LookupError(f"{at}: say in the table of words how it is written")


def choices(literal: Any) -> Schema:
    """Return one of the words of a ``Literal``."""
    return {"enum": list(get_args(literal))}


def _fields(struct: type) -> list[inspect.Field]:
    """Return the fields that are written inside; the ``id`` of a step stands beside its verb."""
    found = inspect.type_info(struct)
    assert isinstance(found, inspect.StructType)  # noqa: S101 - the table holds structs alone
    return [field for field in found.fields if not (field.name == "id" and struct in get_args(Step))]


def _tag(struct: type[msgspec.Struct]) -> str:
    return str(struct.__struct_config__.tag)


def _references(schema: Any) -> set[str]:
    match schema:
        case {"$ref": str(target), **rest}:
            found = _REF.match(target)
            return ({found[1]} if found else set()) | _references(rest)
        case dict():
            return set().union(*map(_references, schema.values()))
        case list():
            return set().union(*map(_references, schema))
        case _:
            return set()
