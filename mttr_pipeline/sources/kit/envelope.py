"""Cut a vendor's response into its records without changing a byte of them, but for characters that no reader takes.

What belongs here: JSON as bytes. What does not: HTTP, paging, the meaning of any field.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from mttr_pipeline.landing import scanner
from mttr_pipeline.landing.characters import repaired

T = TypeVar("T")

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


class InvalidBody(Exception):
    """The body is not complete JSON of the expected shape, e.g. truncated or HTML. The client retries the request."""


def members(body: bytes) -> dict[str, bytes]:
    """The members of a JSON object: name -> the value's bytes as sent, bad characters replaced. Raises InvalidBody."""
    for text in _readings(body):
        try:
            return {name: bytes(raw) for name, raw in _MEMBERS.decode(text).items()}
        except msgspec.ValidationError as error:
            raise InvalidBody(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # one record that a strict parser rejects must not cost the whole page: parse leniently
    try:
        return dict(scanner.members(body))
    except ValueError as error:
        raise InvalidBody(f"it ends early or is not JSON ({error})") from error


def required(found: dict[str, bytes], name: str) -> bytes:
    """The member `name`. Raises InvalidBody when it is absent."""
    if name not in found:
        raise InvalidBody(f"no member {name!r}")
    return found[name]


def items(raw: bytes) -> list[bytes]:
    """The elements of a JSON array, each as the bytes it was sent in, bad characters replaced. Raises InvalidBody.

    An element that is not a readable JSON object is wrapped as `{"unreadable": ...}`: it keeps its place in every count
    and ends in quarantine.
    """
    for text in _readings(raw):
        try:
            return [as_record(bytes(item)) for item in _ITEMS.decode(text)]
        except msgspec.ValidationError as error:
            raise InvalidBody(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    try:
        return [one_record(item) for item in scanner.elements(raw)]
    except ValueError as error:
        raise InvalidBody(f"it ends early or is not JSON ({error})") from error


def listing(body: bytes, name: str, *others: str) -> tuple[list[bytes], dict[str, bytes]]:
    """The records in the array `name` of a JSON object, and those of its members `others` that are there: `items` and `members` in
    one reading of the body. Raises InvalidBody."""
    try:
        found = _page_decoder(name, others).decode(next(_readings(body)))
        rows = [
            item if item.startswith(b"{") else as_record(item)  # no call for each of a hundred records
            for item in map(bytes, found.rows)
        ]
        values = ((other, bytes(getattr(found, f"member_{place}"))) for place, other in enumerate(others))
        return rows, {other: value for other, value in values if value}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, StopIteration):
        pass  # no such array, or one record that a strict parser rejects
    members_found = members(body)
    rows = items(required(members_found, name))
    return rows, {other: members_found[other] for other in others if other in members_found}


def as_record(raw: bytes) -> bytes:
    """A JSON object as it is; any other JSON value wrapped as `{"unreadable": ...}`."""
    return raw if raw.startswith(b"{") else b'{"unreadable":' + raw + b"}"


def one_record(raw: bytes) -> bytes:
    """The same for a value of a body that may have been read leniently: what a strict parser rejects is wrapped as a text."""
    return as_record(raw) if _is_strict(raw) else unreadable_record(raw)


def unreadable_record(raw: bytes) -> bytes:
    """A record for bytes that a strict JSON parser rejects, such as a number like NaN or a thousand nested lists."""
    return b'{"unreadable":' + msgspec.json.encode(raw.decode("utf-8", "replace")) + b"}"


def member_list(body: bytes, name: str) -> list[bytes]:
    """The records in the array `name` of a JSON object. Raises InvalidBody when there is no such array."""
    return items(required(members(body), name))


def whole_object(body: bytes) -> bytes:
    """The body itself, bad characters replaced, after a check that it is one complete JSON object. Raises InvalidBody."""
    members(body)
    return body if _is_strict(body) else repaired(body)


def decode(raw: bytes | None) -> Any:
    """The Python value of a small member; None when it is absent or unreadable."""
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def decode_int(raw: bytes | None) -> int | None:
    """The value of a member that should be an integer, e.g. a total; None for anything else."""
    value = decode(raw)
    return value if isinstance(value, int) else None


def decode_text(raw: bytes | None) -> str | None:
    """The value of a member that should be text, e.g. a page token; None for anything else and for empty text."""
    value = decode(raw)
    return value if isinstance(value, str) and value else None


def decode_as(decoder: msgspec.json.Decoder[T], record: bytes) -> T | None:
    """The record as the decoder's type, e.g. a struct of the few fields that are needed; None when it is unreadable."""
    try:
        return decoder.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


@lru_cache(maxsize=64)
def _page_decoder(name: str, others: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Of an object whose member `name` is an array."""
    optional = [
        (f"member_{place}", msgspec.Raw, msgspec.field(name=other, default=msgspec.Raw()))
        for place, other in enumerate(others)
    ]
    rows = ("rows", list[msgspec.Raw], msgspec.field(name=name))
    return msgspec.json.Decoder(msgspec.defstruct("Page", [rows, *optional]))


def _readings(text: bytes) -> Iterator[bytes]:
    """What a strict parser may take: the text as sent if it is UTF-8, then without its bad characters."""
    with suppress(UnicodeDecodeError):
        if text.isascii() or text.decode("utf-8") is not None:
            yield text
    better = repaired(text)
    if better is not text:
        yield better


def _is_strict(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
