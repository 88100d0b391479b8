"""Text into tokens."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from shared.expressions.errors import ExpressionError, shown

LONGEST = 2_000
"""More than a screen of condition is a table or a segment, and everything after this is at most linear in it."""


class Token(NamedTuple):
    """One token: ``kind`` is int, double, string, word, key, outside, op or end."""

    kind: str
    text: str
    start: int
    end: int
    value: int | float | str | None = None


_SPACE = re.compile(r"(?:[ \t\r\n\f]|//[^\n]*)*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"`([A-Za-z0-9_./ -]+)`")
_NUMBER = re.compile(
    r"(?P<double>(?:[0-9]+\.[0-9]+|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)|(?P<int>0x[0-9a-fA-F]+|[0-9]+)"
)
_STRING = re.compile(
    r"(?P<prefix>[rR][bB]?|[bB][rR]?)?"
    r'(?:"""(?P<a>(?:[^"\\]|\\.|"(?!""))*)"""|\'\'\'(?P<b>(?:[^\'\\]|\\.|\'(?!\'\'))*)\'\'\''
    r'|(?!"""|\'\'\')(?:"(?P<c>(?:[^"\\\r\n]|\\[^\r\n])*)"|\'(?P<d>(?:[^\'\\\r\n]|\\[^\r\n])*)\'))',
    re.DOTALL,
)
_RAW = re.compile(
    r"(?P<prefix>[rR][bB]?|[bB][rR])"
    r'(?:"""(?P<a>.*?)"""|\'\'\'(?P<b>.*?)\'\'\'|(?!"""|\'\'\')(?:"(?P<c>[^"\r\n]*)"|\'(?P<d>[^\'\r\n]*)\'))',
    re.DOTALL,
)
_OPENS_STRING = re.compile(r"(?:[rR][bB]?|[bB][rR]?)?[\"']")
_OPERATOR = re.compile(r"==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{}]")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"} | {c: c for c in "\\?\"'`"}
_SLIPS = {"=": "==", "&": "&&", "|": "||", "“": '"', "”": '"', "‘": "'", "’": "'", "×": "*", "÷": "/"}


def tokenize(text: str) -> list[Token]:
    """Return the tokens of ``text``, the last of kind ``end``. Raises ExpressionError."""
    if len(text) > LONGEST:
        raise ExpressionError(
            LONGEST,
            f"an expression has at most {LONGEST} characters, this has {len(text)}; split it with `all:` or `any:`",
        )
    tokens = []
    at = _after_space(text, 0)
    while at < len(text):
        token = _token(text, at)
        tokens.append(token)
        at = _after_space(text, token.end)
    tokens.append(Token("end", "", len(text), len(text)))
    return tokens


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _token(text: str, at: int) -> Token:
    if _OPENS_STRING.match(text, at):
        return _string(text, at)
    if found := _WORD.match(text, at):
        return Token("word", found[0], at, found.end())
    if found := _NUMBER.match(text, at):
        return _number(text, found)
    if found := _OPERATOR.match(text, at):
        return Token("op", found[0], at, found.end())
    if found := _KEY.match(text, at):
        return Token("key", found[0], at, found.end(), found[1])
    plain = unicodedata.normalize("NFKC", text[at])
    meant = _SLIPS.get(plain, plain)
    hint = f"; write `{meant}`" if meant != text[at] and meant.isascii() else "; remove it, or put text into quotes"
    raise ExpressionError(at, f"{shown(text[at])} has no meaning here{hint}")


def _number(text: str, found: re.Match[str]) -> Token:
    start, end = found.span()
    following = text[end : end + 1]
    if found["int"] and following in ("u", "U"):
        end += 1
        following = text[end : end + 1]
    if following == "_" or following.isalnum():
        raise ExpressionError(end, f"a number ends before {shown(following)}; put a space or an operator between them")
    if end > found.end():
        return Token("outside", text[start:end], start, end)
    if found["int"]:
        return Token("int", found[0], start, end, int(found[0], 16 if found[0].startswith("0x") else 10))
    value = float(found[0])
    if value == float("inf"):
        raise ExpressionError(start, f"{shown(found[0])} is too large for a number; the largest is about 1.7e308")
    return Token("double", found[0], start, end, value)


def _string(text: str, at: int) -> Token:
    raw = _RAW.match(text, at)
    found = raw or _STRING.match(text, at)
    if not found:
        raise ExpressionError(at, "this text has no end; close it with the quote that opens it, on the same line")
    if "b" in (found["prefix"] or "").lower():
        return Token("outside", found[0], at, found.end())
    name = next(name for name in "abcd" if found[name] is not None)
    value = found[name] if raw else _unescape(found[name], found.start(name))
    return Token("string", found[0], at, found.end(), value)


def _unescape(body: str, start: int) -> str:
    def plain(found: re.Match[str]) -> str:
        *codes, octal, other = found.groups()
        if other is not None:
            if other in _PLAIN:
                return _PLAIN[other]
            raise ExpressionError(
                start + found.start(), f"{shown(found[0])} is no escape; for a backslash itself write two"
            )
        code = int(octal, 8) if octal else int(next(filter(None, codes)), 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise ExpressionError(start + found.start(), f"{shown(found[0])} is no character; write its code point")
        return chr(code)

    return _ESCAPE.sub(plain, body)
