"""Cut a vendor's answer into its records without re-serialising a byte of them.

What belongs here: JSON as bytes. What does not: HTTP, paging, the meaning of any field.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_LENIENT = json.JSONDecoder(strict=False)
_SPACE = " \t\r\n"


class InvalidBody(Exception):
    """The body is no complete JSON of the expected shape: truncated, HTML, or something else altogether."""


def fields(body: bytes) -> dict[str, bytes]:
    """The members of a JSON object, each as the bytes it was sent in. Raises InvalidBody."""
    try:
        if body.isascii() or body.decode("utf-8") is not None:
            return {name: bytes(raw) for name, raw in _FIELDS.decode(body).items()}
    except msgspec.ValidationError as error:
        raise InvalidBody(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # one bad character in one record must not cost the whole page: cut it up leniently
    return dict(_lenient_members(body))


def items(raw: bytes) -> list[bytes]:
    """The elements of a JSON array as sent; one that is no JSON object is wrapped as `{"unreadable": ...}`.

    The wrapped element keeps its place in every count and ends in quarantine. Raises InvalidBody.
    """
    try:
        if raw.isascii() or raw.decode("utf-8") is not None:
            return [record(bytes(item)) for item in _ITEMS.decode(raw)]
    except msgspec.ValidationError as error:
        raise InvalidBody(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return [record(item) if _is_strict(item) else unreadable(item) for item in _lenient_items(raw)]


def record(raw: bytes) -> bytes:
    """A landed record is a JSON object: anything else is wrapped."""
    return raw if raw.startswith(b"{") else b'{"unreadable":' + raw + b"}"


def unreadable(raw: bytes) -> bytes:
    """A record whose bytes no strict JSON reader takes (lone surrogates, bare control characters, broken UTF-8)."""
    return b'{"unreadable":' + msgspec.json.encode(raw.decode("utf-8", "replace")) + b"}"


def member_list(body: bytes, name: str) -> list[bytes]:
    """The records under `name` of an answer. Raises InvalidBody when there is no such list."""
    found = fields(body).get(name)
    if found is None:
        raise InvalidBody(f"no member {name!r}")
    return items(found)


def scalar(raw: bytes | None) -> Any:
    """A small member decoded; None when it is absent or unreadable."""
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def _is_strict(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _lenient_members(body: bytes) -> list[tuple[str, bytes]]:
    return [(str(name), raw) for name, raw in _lenient_cut(body, "{", "}") if name is not None]


def _lenient_items(raw: bytes) -> list[bytes]:
    return [item for _, item in _lenient_cut(raw, "[", "]")]


def _lenient_cut(body: bytes, opening: str, closing: str) -> list[tuple[str | None, bytes]]:
    """The members of the outermost object or array, found with Python's tolerant scanner, as the bytes sent."""
    text = body.decode("utf-8", "surrogateescape")
    found: list[tuple[str | None, bytes]] = []
    try:
        at = _skip(text, 0)
        if text[at] != opening:
            raise InvalidBody(f"it does not start with {opening}")
        at = _skip(text, at + 1)
        while text[at] != closing:
            name: str | None = None
            if opening == "{":
                name, at = _LENIENT.raw_decode(text, at)
                at = _skip(text, at)
                if text[at] != ":":
                    raise InvalidBody("a member without a value")
                at = _skip(text, at + 1)
            _, end = _LENIENT.raw_decode(text, at)
            found.append((name, text[at:end].encode("utf-8", "surrogateescape")))
            at = _skip(text, end)
            if text[at] == ",":
                at = _skip(text, at + 1)
            elif text[at] != closing:
                raise InvalidBody("something else between two members")
    except (IndexError, ValueError, RecursionError) as error:
        raise InvalidBody("it ends early or is no JSON") from error
    return found


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at
