"""Documents made from a JSON Schema of ours: the least one around each object of it, and any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]
Wrap = Callable[[Any], Any]
DEEP = 9


def _scalar(kind: str, found: Schema) -> st.SearchStrategy[Any]:
    if "pattern" in found:
        return st.sampled_from(found["examples"]) | st.from_regex(found["pattern"], fullmatch=True)
    known = ["x", "Order Completed", "contact.plan == 'pro'", "event.properties.total > 1", "UTC", "1d"]
    numbers = st.integers(int(found.get("minimum", 0)), int(found.get("maximum", 99)))
    return {
        "integer": numbers,
        "number": numbers,
        "boolean": st.booleans(),
        "null": st.none(),
        "string": st.sampled_from(known) | st.text(min_size=1, max_size=4),
    }.get(kind, st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4))


class Instances:
    """The documents of one schema."""

    def __init__(self, root: Schema) -> None:
        self.root = root

    def resolved(self, schema: Schema) -> Schema:
        found = schema
        while "$ref" in found:
            found = self._at(found["$ref"])
        return found

    def _at(self, pointer: str) -> Schema:
        found: Any = self.root
        for key in pointer.removeprefix("#/").split("/"):
            found = found[key]
        return dict(found)

    def objects(self) -> Iterator[tuple[Schema, Wrap]]:
        """Yield each object that has keys of its own, with what puts one into the least document that holds it."""
        yield from self._objects(self.root, lambda found: found, set())

    def _objects(self, schema: Schema, wrap: Wrap, seen: set[str]) -> Iterator[tuple[Schema, Wrap]]:
        if "$ref" in schema:
            if schema["$ref"] in seen:
                return
            seen.add(schema["$ref"])
        found = self.resolved(schema)
        if "properties" in found:
            yield found, wrap
            for key, child in found["properties"].items():
                yield from self._objects(child, self._under(found, key, wrap), seen)
        elif isinstance(found.get("additionalProperties"), dict):
            yield from self._objects(found["additionalProperties"], lambda made: wrap({"a": made}), seen)
        elif "items" in found:
            yield from self._objects(found["items"], lambda made: wrap([made]), seen)
        else:
            for option in found.get("anyOf", ()):
                yield from self._objects(option, wrap, seen)

    def _under(self, found: Schema, key: str, wrap: Wrap) -> Wrap:
        return lambda made: wrap({**self.least(found, key), key: made})

    def keys(self, found: Schema, wanted: str | None = None) -> list[str]:
        """Return the least keys that a mapping has, ``wanted`` among them."""
        keys = list(found.get("required", ()))
        for rule in ("oneOf", "anyOf"):
            ways = [way["required"] for way in found.get(rule, ())]
            keys += next((way for way in ways if wanted in way), ways[0] if ways else [])
        keys += [wanted] if wanted else []
        for key in list(keys):
            keys += found.get("dependentRequired", {}).get(key, ())
        if len(set(keys)) < found.get("minProperties", 0):
            keys += list(found["properties"])[:1]
        return list(dict.fromkeys(keys))

    def least(self, schema: Schema, wanted: str | None = None) -> Any:
        """Return the least instance; of a mapping one with the key ``wanted``."""
        found = self.resolved(schema)
        known = self._known(found) or found.get("examples")
        if known:
            return known[0]
        match found.get("type"):
            case "object" if "properties" in found:
                return {key: self.least(found["properties"][key]) for key in self.keys(found, wanted)}
            case "object":
                inner = found.get("additionalProperties", {})
                return {"a": self.least(inner)} if found.get("minProperties") else {}
            case "array":
                return [self.least(found["items"])] * found.get("minItems", 0)
            case None if "anyOf" in found:
                return self.least(found["anyOf"][0])
            case kind:
                plain = {"integer": found.get("minimum", 1), "number": found.get("minimum", 1), "boolean": True}
                return plain.get(str(kind), "x")

    def _known(self, found: Schema) -> list[Any]:
        return [found["const"]] if "const" in found else list(found.get("enum", ()))

    def anything(self) -> st.SearchStrategy[Any]:
        """Return a strategy of documents that the schema accepts, nearly always."""

        @st.composite
        def drawn(draw: st.DrawFn) -> Any:
            return self._draw(draw, self.root, 0)

        return drawn()

    def _draw(self, draw: st.DrawFn, schema: Schema, depth: int) -> Any:
        found = self.resolved(schema)
        known = self._known(found)
        if known:
            return draw(st.sampled_from(known))
        match found.get("type"):
            case "object" if "properties" in found:
                return self._draw_mapping(draw, found, depth)
            case "object":
                inner = found.get("additionalProperties", {})
                names = draw(st.sets(st.sampled_from(["en", "a", "b_2"]), min_size=found.get("minProperties", 0)))
                return {name: self._draw(draw, inner, depth + 1) for name in sorted(names)}
            case "array":
                least = found.get("minItems", 0)
                count = draw(st.integers(least, least + (0 if depth > DEEP else 2)))
                items = [self._draw(draw, found["items"], depth + 1) for _ in range(count)]
                return list(dict.fromkeys(items)) if found.get("uniqueItems") else items
            case None if "anyOf" in found:
                options = found["anyOf"]
                return self._draw(draw, options[0] if depth > DEEP else draw(st.sampled_from(options)), depth)
            case kind:
                return draw(_scalar(str(kind), found))

    def _draw_mapping(self, draw: st.DrawFn, found: Schema, depth: int) -> Any:
        ways = {key for rule in ("oneOf", "anyOf") for way in found.get(rule, ()) for key in way["required"]}
        free = [key for key in found["properties"] if key not in ways and key not in found.get("required", ())]
        wanted = draw(st.sampled_from(sorted(ways))) if ways and depth <= DEEP else None
        more = [] if depth > DEEP or not free else draw(st.lists(st.sampled_from(free), max_size=4, unique=True))
        keys = dict.fromkeys([*self.keys(found, wanted), *more])
        return {key: self._draw(draw, found["properties"][key], depth + 1) for key in keys}
