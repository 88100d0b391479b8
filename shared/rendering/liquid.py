"""Liquid, strict and bounded: compiled once per text."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TextIO

from liquid import BoundTemplate, Environment, FalsyStrictUndefined, RenderContext
from liquid.builtin.output import Output, OutputNode
from liquid.exceptions import LiquidError, UndefinedError
from liquid.extra import JSON
from liquid.stringify import to_liquid_string
from liquid.undefined import Undefined, is_undefined
from liquid.utils import ReadOnlyChainMap

from shared.rendering.countdown import countdown
from shared.rendering.dates import date

MAX_SOURCE = 512 * 1024
"""Characters of one part."""

# A long catalogue e-mail has some hundred lines; ten thousand turns take about 50 ms and then stop.
_LOOPS = 10_000
# Gmail clips messages at 102 KB and LINE, SMS and push take far less: 1 MiB is a runaway, not a text.
_OUTPUT_BYTES = 1024 * 1024
_VARIABLE_BYTES = 1024 * 1024
_DEPTH = 20
# Characters that go through filters, in all turns of all loops: at 20 MB/s for the slowest but one, 200 ms.
_WORK = 4 * 1024 * 1024
# Its parser takes 0.35 us for a character.
_SLOW = {"strip_html": 4}
_left: ContextVar[int] = ContextVar("left", default=_WORK)
_CACHED_TEMPLATES = 512
# They read other files; a template is one.
_LEFT_OUT = ("include", "render")


@functools.lru_cache(maxsize=_CACHED_TEMPLATES)
def compile_liquid(source: str, *, escape: bool) -> BoundTemplate:
    """Return ``source`` ready to be filled in; ``escape``: what it prints becomes HTML. Raises LiquidError."""
    return environment(escape=escape).from_string(source)


@functools.lru_cache(maxsize=2)
def environment(*, escape: bool) -> Environment:
    """Return the language: its tags, its filters and its limits."""
    made = _Limited(autoescape=escape, undefined=_Missing)
    made.add_tag(_StrictOutput)
    for name in _LEFT_OUT:
        del made.tags[name]
    made.add_filter(JSON.name, JSON())
    for name, filter_ in list(made.filters.items()):
        made.add_filter(name, _bounded(name, filter_))
    made.add_filter("date", date)
    made.add_filter("countdown", countdown)
    return made


def fill(template: BoundTemplate, data: dict[str, Any]) -> str:
    """Return ``template`` with ``data`` filled in, by a bounded amount of work. Raises LiquidError."""
    token = _left.set(_WORK)
    try:
        return str(template.render(data))
    finally:
        _left.reset(token)


def first_line(error: BaseException) -> str:
    """Return what ``error`` says, without the text that it quotes."""
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


class _Context(RenderContext):
    """Python-liquid's own ``now`` and ``today`` read the machine's clock: here there is only what the data says."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)


class _Template(BoundTemplate):
    context_class = _Context


class _Limited(Environment):
    template_class = _Template
    block_nesting_limit = _DEPTH
    context_depth_limit = _DEPTH
    loop_iteration_limit = _LOOPS
    local_namespace_limit = _VARIABLE_BYTES
    output_stream_limit = _OUTPUT_BYTES


def _bounded(name: str, filter_: Callable[..., Any]) -> Callable[..., Any]:
    """Keep a filter from building what the output limit would only see afterwards, and from hiding what is missing."""

    @functools.wraps(filter_)
    def call(value: Any, *args: Any, **kwargs: Any) -> Any:
        if name != "default" and is_undefined(value):
            raise UndefinedError(str(value.msg), token=None)
        if isinstance(value, range) and len(value) > _LOOPS:
            raise LiquidError(f"{name}: more than {_LOOPS} items", token=None)
        left = _left.get() - _size(value) * _SLOW.get(name, 1)
        if left < 0:
            raise LiquidError(f"{name}: more than {_WORK} characters go through filters", token=None)
        _left.set(left)
        if name in ("replace", "join") and _grown(value, args) > _OUTPUT_BYTES:
            raise LiquidError(f"{name}: more than {_OUTPUT_BYTES} bytes", token=None)
        return filter_(value, *args, **kwargs)

    return call


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple) else 0


def _grown(value: Any, args: tuple[Any, ...]) -> int:
    """Return the most characters that ``replace`` and ``join`` can make of ``value``: they multiply lengths."""
    if not isinstance(value, str | list | tuple | range) or not args:
        return 0
    return (len(value) + 1) * max(1, len(str(args[-1])))
