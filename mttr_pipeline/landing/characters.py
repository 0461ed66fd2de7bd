"""Replace the characters of JSON text that no reader takes: one bad character must not cost the record.

Bytes that are not UTF-8, half a surrogate pair and NUL become U+FFFD, the replacement character. Other control characters that
stand unescaped inside a string are escaped. Everything else stays byte for byte, white space and line breaks too.

What belongs here: JSON as bytes. What does not: its members, and files that are not JSON.
"""

from __future__ import annotations

import re

import msgspec

MARK = "\ufffd"  # what a bad character becomes
_PLAIN_MARK = MARK.encode()
# A pattern finds its first backslash six times faster than `in` finds two bytes, and `in` finds one byte 25 times faster again.
_BAD_ESCAPE = re.compile(rb"\\u(?:[dD]|0000)")
_ESCAPED_MARK = re.compile(rb"\\u(?:fffd|FFFD)")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(?P<bad>u[dD][89a-fA-F][0-9a-fA-F]{2}|u0000)|.)",
    re.DOTALL,
)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x1f]")
_CONTROLS = bytes(range(0x20))


def repaired(text: bytes) -> bytes:
    """JSON text without bad characters: the same object where it has none. It may be a part of a document."""
    plain = text
    if not plain.isascii():
        try:
            plain.decode()
        except UnicodeDecodeError:
            plain = plain.decode("utf-8", "replace").encode()
    if _has_bad_escape(plain):
        cleaned = _ESCAPE.sub(lambda escape: b"\\ufffd" if escape["bad"] else escape[0], plain)
        plain = plain if cleaned == plain else cleaned
    if len(plain.translate(None, _CONTROLS)) != len(plain) and not _is_json(plain):
        cleaned = _STRING.sub(lambda string: _CONTROL.sub(_escaped, string[0]), plain)
        plain = plain if cleaned == plain else cleaned
    return plain


def is_suspicious(lines: bytes) -> bool:
    """Whether one of many lines may have a bad character: a quick look, without any JSON."""
    try:
        return b"\0" in lines or _has_bad_escape(lines) or not (lines.isascii() or lines.decode())
    except UnicodeDecodeError:
        return True


def has_mark(text: bytes) -> bool:
    """Whether a character of the text was replaced, here or by its sender."""
    if b"\\" in text and _ESCAPED_MARK.search(text):
        return True
    return not text.isascii() and _PLAIN_MARK in text


def marks(text: bytes) -> int:
    """How many replacement characters the text holds, written out or escaped."""
    return text.count(_PLAIN_MARK) + text.count(b"\\ufffd") + text.count(b"\\uFFFD")


def _has_bad_escape(text: bytes) -> bool:
    return b"\\" in text and _BAD_ESCAPE.search(text) is not None


def _escaped(control: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if control[0] == b"\0" else b"\\u%04x" % control[0][0]


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
