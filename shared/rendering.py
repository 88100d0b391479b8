"""Texts with their data filled in: Liquid, strict, bounded and pure. Shared by the dispatcher and the simulator."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
from liquid import BoundTemplate, Environment, FalsyStrictUndefined, RenderContext
from liquid.builtin.output import Output, OutputNode
from liquid.exceptions import LiquidError, UndefinedError
from liquid.stringify import to_liquid_string
from liquid.undefined import Undefined, is_undefined

from shared.errors import PermanentError

# A long catalogue e-mail has some hundred lines; ten thousand turns take about 50 ms and then stop.
_LOOPS = 10_000
# Gmail clips messages at 102 KB and LINE, SMS and push take far less: 1 MiB is a runaway, not a text.
_OUTPUT_BYTES = 1024 * 1024
_VARIABLE_BYTES = 1024 * 1024
_DEPTH = 20
_MAX_SOURCE = 512 * 1024
_CACHED_TEMPLATES = 512

_ESCAPED = frozenset({"html", "mjml"})
_SINGLE_LINE = frozenset({"subject", "title", "preheader"})


class TemplateError(PermanentError):
    """The texts cannot be rendered with this data: the message is not sent (reason ``template_error``)."""


class Rendered(msgspec.Struct, frozen=True):
    """The texts of one message for one channel, by part: ``subject``, ``text``, ``html``, ..."""

    parts: dict[str, str]


def render(content: Mapping[str, str], data: Mapping[str, Any]) -> Rendered:
    """Return ``content`` with ``data`` filled in. Pure: no clock, no files, the same on every machine.

    A variable that is missing or null must not be printed: nobody receives "Hello ,". It may be asked for (``if``) and
    replaced (``default``). Raises TemplateError, whose message names the part and never holds a value of ``data``.
    """
    known = {name: _without_nulls(value) for name, value in data.items() if value is not None}
    return Rendered({part: _render_part(part, source, known) for part, source in content.items()})


def check_template(part: str, source: str) -> None:
    """Raise TemplateError if ``source`` is no valid Liquid for ``part``."""
    if len(source) > _MAX_SOURCE:
        raise TemplateError(f"{part}: the template is longer than {_MAX_SOURCE} characters")
    try:
        _compile(source, escape=part in _ESCAPED)
    except (LiquidError, RecursionError) as error:
        raise TemplateError(f"{part}: {_first_line(error)}") from error


def _render_part(part: str, source: str, data: dict[str, Any]) -> str:
    check_template(part, source)
    try:
        text = _compile(source, escape=part in _ESCAPED).render(data)
    except LiquidError as error:
        raise TemplateError(f"{part}: {_first_line(error)}") from error
    except Exception as error:  # a filter given what it does not expect; its message may quote the data
        raise TemplateError(f"{part}: {type(error).__name__}") from error
    # A line break in a subject would start a header of the sender's choosing.
    return " ".join(text.split()) if part in _SINGLE_LINE else text


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value


def _first_line(error: BaseException) -> str:
    if isinstance(error, LiquidError) and error.args:
        return str(error.args[0]).split("\n", 1)[0]
    return type(error).__name__


class _Missing(FalsyStrictUndefined):
    """May be asked for, compared and replaced by ``default``; anything else with it is an error."""

    force_liquid_default = True

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Undefined) or other is None or other is False

    def __hash__(self) -> int:
        return 0

    def __liquid__(self) -> object:
        return None


class _StrictOutputNode(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        value = self.expression.evaluate(context)
        if value is None or is_undefined(value):
            raise UndefinedError(f"'{self.expression}' is undefined", token=self.token)
        return buffer.write(to_liquid_string(value, context.autoescape))


class _StrictOutput(Output):
    node_class = _StrictOutputNode


class _Limited(Environment):
    block_nesting_limit = _DEPTH
    context_depth_limit = _DEPTH
    loop_iteration_limit = _LOOPS
    local_namespace_limit = _VARIABLE_BYTES
    output_stream_limit = _OUTPUT_BYTES


@functools.lru_cache(maxsize=_CACHED_TEMPLATES)
def _compile(source: str, *, escape: bool) -> BoundTemplate:
    return _environment(escape=escape).from_string(source)


@functools.lru_cache(maxsize=2)
def _environment(*, escape: bool) -> Environment:
    environment = _Limited(autoescape=escape, undefined=_Missing)
    environment.add_tag(_StrictOutput)
    for name, filter_ in list(environment.filters.items()):
        environment.add_filter(name, _bounded(name, filter_))
    environment.add_filter("date", _date)
    return environment


def _bounded(name: str, filter_: Callable[..., Any]) -> Callable[..., Any]:
    """Keep a filter from building what the output limit would only see afterwards, and from hiding what is missing."""

    @functools.wraps(filter_)
    def call(value: Any, *args: Any, **kwargs: Any) -> Any:
        if name != "default" and is_undefined(value):
            raise UndefinedError(str(value.msg), token=None)
        if isinstance(value, range) and len(value) > _LOOPS:
            raise LiquidError(f"{name}: more than {_LOOPS} items", token=None)
        if name in ("replace", "join") and _grown(value, args) > _OUTPUT_BYTES:
            raise LiquidError(f"{name}: more than {_OUTPUT_BYTES} bytes", token=None)
        return filter_(value, *args, **kwargs)

    return call


def _grown(value: Any, args: tuple[Any, ...]) -> int:
    """Return the most characters that ``replace`` and ``join`` can make of ``value``: they multiply lengths."""
    if not isinstance(value, str | list | tuple | range) or not args:
        return 0
    return (len(value) + 1) * max(1, len(str(args[-1])))


def _date(value: object, pattern: object = "%Y-%m-%d") -> str:
    """Liquid's ``date``, in UTC unless the value has its own offset, and without ``now``: rendering reads no clock."""
    if is_undefined(value):
        raise UndefinedError("the value of a date is undefined", token=None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        moment = datetime.fromtimestamp(value, UTC)
    else:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise LiquidError("date: not an ISO 8601 date", token=None) from None
    return moment.strftime(str(pattern))
