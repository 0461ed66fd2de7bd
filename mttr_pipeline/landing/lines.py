"""One line of a file: the record that stands there as JSON, or why there is none. Characters that are no text are replaced.

What belongs here: bytes, characters, and whether they are one JSON object. What does not: formats of files (`formats`), and what
a record means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from mttr_pipeline.landing import scanner
from mttr_pipeline.landing.characters import marks, repaired

MAX_RECORD_BYTES = 8 << 20  # DuckDB's read_json refuses a whole file for one line above 16 MB
MAX_TEXT = 2000  # characters that are kept of an unreadable line
TOO_DEEP = "nested too deeply"

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_named = re.compile(r'"external_id"\s*:\s*(?:"([^"\\]{1,200})"|(\d{1,30}))')


class FileProblem(Exception):
    """The whole file is unusable. The text continues a sentence that starts with the file's name."""


class Unreadable(NamedTuple):
    """A line that is not a JSON object: its text, at most MAX_TEXT characters, the reason, and the record's id where it can be
    told all the same. Of a line that is one but cannot be used, the text is the whole of it (`kept_whole`)."""

    text: str
    reason: str
    id: str | None = None


Content = bytes | Unreadable
Lines = Iterator[tuple[int, Content]]


class Readable(NamedTuple):
    """A record: its members, its bytes with every bad character replaced, and how many those were."""

    fields: Mapping[str, msgspec.Raw]
    content: bytes
    replaced: int = 0


def unreadable(text: bytes, reason: str, id: str | None = None) -> Unreadable:
    """An unreadable line from its bytes: shortened, and with replacement characters for what is not UTF-8."""
    shown = text[: 4 * MAX_TEXT].decode("utf-8", "replace")[:MAX_TEXT]
    if id is None and (found := _named.search(shown)):
        id = found[1] or found[2]
    return Unreadable(shown, reason, id)


def kept_whole(record: bytes, reason: str) -> Unreadable:
    """A record that is JSON but cannot be used: all of its text is landed, so that nothing of it is lost."""
    return unreadable(record, reason)._replace(text=record.decode("utf-8", "replace"))


def readable(record: bytes, limit: int = MAX_RECORD_BYTES) -> Readable | Unreadable:
    """The members of the record if it is one JSON object, or why it is not.

    A byte that is not UTF-8, half of a surrogate pair and NUL are replaced; any other control character in a text is escaped.
    Apart from that it is stricter than a mere parse, because one line that DuckDB's read_json refuses spoils the load of all.
    """
    if len(record) > limit:
        return unreadable(record, f"longer than {limit >> 20} MB")
    content = repaired(record)
    try:
        return Readable(_decode_object(content), content, 0 if content is record else marks(content) - marks(record))
    except RecursionError:
        return unreadable(record, TOO_DEEP)
    except msgspec.ValidationError:
        return unreadable(record, "not a JSON object")
    except msgspec.DecodeError as error:
        return unreadable(record, f"{error}")


def readable_in_part(record: bytes) -> Readable | Unreadable:
    """Like `readable`, for a body that holds records in a list: a broken one among them is a text, and the others can be read."""
    found = readable(record)
    if isinstance(found, Unreadable) and len(record) <= MAX_RECORD_BYTES:
        try:
            return readable(scanner.with_broken_as_text(repaired(record)))
        except ValueError:
            pass
    return found
