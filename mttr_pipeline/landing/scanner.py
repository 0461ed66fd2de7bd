"""Cut JSON text into its outermost parts by brackets and strings alone, however deep or odd one of the parts is.

A strict parser gives up a whole page for one record with a number like NaN, or nested a thousand levels deep. Here only what
stands between the parts has to be right; what a part holds is judged later, part by part.

What does not belong here: what a part means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import msgspec

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:"]', re.DOTALL)
_CLOSING = {b"[": b"]", b"{": b"}"}
_BLANK = b" \t\r\n"
_LENIENT = json.JSONDecoder(strict=False)


def elements(text: bytes) -> list[bytes]:
    """The elements of the array that the text begins with, as the bytes sent. Raises ValueError where it is none or ends early."""
    return [value for _, value in _parts(text, b"[")]


def members(text: bytes) -> list[tuple[str, bytes]]:
    """The members of the object that the text begins with: name, and value as the bytes sent. Raises ValueError where it is none,
    ends early, or a name is no text."""
    found = []
    for name, value in _parts(text, b"{"):
        try:
            key = _LENIENT.decode((name or b"").decode("utf-8", "replace"))
        except RecursionError:
            key = None
        if not isinstance(key, str):
            raise ValueError("a member has no name")
        found.append((key, value))
    return found


def with_broken_as_text(text: bytes) -> bytes:
    """An object that a strict parser rejects, with each broken element of its lists as a text: the other elements can be read then.
    Raises ValueError where that does not help."""
    parts = []
    for name, value in members(text):
        if not _is_strict(value):
            found = (
                item if _is_strict(item) else msgspec.json.encode(item.decode("utf-8", "replace"))
                for item in elements(value)
            )
            value = b"[" + b",".join(found) + b"]"
        parts.append(msgspec.json.encode(name) + b":" + value)
    return b"{" + b",".join(parts) + b"}"


def _is_strict(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _parts(text: bytes, opening: bytes) -> Iterator[tuple[bytes | None, bytes]]:
    """Name (None in an array) and value of each part."""
    begin = len(text) - len(text.lstrip(_BLANK))
    if text[begin : begin + 1] != opening:
        raise ValueError(f"it does not begin with {opening.decode()}")
    open_brackets: list[bytes] = []
    start, name = begin + 1, None
    for token in _TOKEN.finditer(text, begin):
        sign = token[0]
        if sign in _CLOSING:
            open_brackets.append(sign)
        elif sign == b'"':
            raise ValueError("a text does not end")
        elif sign in (b"]", b"}"):
            if _CLOSING[open_brackets.pop()] != sign:
                raise ValueError("brackets do not match")
            if not open_brackets:
                if last := text[start : token.start()].strip(_BLANK):
                    yield name, last
                return
        elif len(open_brackets) == 1 and sign == b",":
            value = text[start : token.start()].strip(_BLANK)
            if not value:
                raise ValueError("nothing stands before a comma")
            yield name, value
            start, name = token.end(), None
        elif len(open_brackets) == 1 and sign == b":" and opening == b"{" and name is None:
            name, start = text[start : token.start()].strip(_BLANK), token.end()
    raise ValueError("it ends early")
