"""Names that stand twice in one JSON object: readers would disagree on the value.

What belongs here: finding them, with their place. What does not: which of them matter.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from mttr_pipeline.landing import scanner
from mttr_pipeline.landing.lines import TOO_DEEP

_MOST_READINGS = 8


def name_twice(record: bytes) -> str | None:
    """Which name stands twice in one object anywhere inside, and in which; None where none does."""
    is_doubled = False

    def seen(pairs: list[tuple[str, Any]]) -> None:
        nonlocal is_doubled
        is_doubled = is_doubled or len({name for name, _ in pairs}) < len(pairs)

    try:
        json.loads(record, object_pairs_hook=seen, parse_int=str)  # as text: Python refuses numbers of 4,300 digits
        return _told(record) if is_doubled else None
    except RecursionError:
        return TOO_DEEP


def known_name_twice(record: bytes, names: Mapping[str, bytes], fields: Mapping[str, msgspec.Raw]) -> str | None:
    """Whether one of the names stands twice in the outermost object. `names` has each with its quoted form, `fields` the members."""
    twice = any(name in fields and record.count(quoted) > 1 for name, quoted in names.items())
    # the slow look only when a quoted name, maybe just a value, stands there twice, or one may be spelt with escapes
    if twice or b"\\u00" in record:
        try:
            pairs: list[tuple[str, Any]] = json.loads(record, object_pairs_hook=list, parse_int=str)
        except RecursionError:
            return TOO_DEEP
        for name, count in Counter(name for name, _ in pairs).items():
            if count > 1 and name in names:
                return _stands(name, count)
    return None


def _stands(name: str, count: int, path: str = "$") -> str:
    """The sentence about a name that stands `count` times in the object at a JSON path."""
    place = f"stands there {count} times" if path == "$" else f"stands {count} times in {path[:200]}"
    return f"the name {name[:40]} {place}"


def readings(record: bytes) -> list[dict[str, msgspec.Raw]] | None:
    """The members of an object as the readers may take them who disagree on a name that stands there several times: by the first
    value of each name, which is what DuckDB takes, by the second, and so on. None for more values of one name than anybody sends
    by accident."""
    values: dict[str, list[bytes]] = {}
    for name, value in scanner.members(record):
        values.setdefault(name, []).append(value)
    most = max(map(len, values.values()), default=1)
    if most > _MOST_READINGS:
        return None
    return [
        {name: msgspec.Raw(given[min(place, len(given) - 1)]) for name, given in values.items()}
        for place in range(most)
    ]


class _Object(tuple[Any, ...]):
    """The members of an object as pairs of name and value."""


def _told(record: bytes) -> str | None:
    todo: list[tuple[str, Any]] = [("$", json.loads(record, object_pairs_hook=_Object, parse_int=str))]
    while todo:
        path, value = todo.pop()
        if isinstance(value, _Object):
            name, count = Counter(name for name, _ in value).most_common(1)[0] if value else ("", 0)
            if count > 1:
                return _stands(name, count, path)
            todo += ((f"{path}.{name}", inner) for name, inner in reversed(value))
        elif isinstance(value, list):
            todo += ((f"{path}[{place}]", inner) for place, inner in reversed(list(enumerate(value))))
    return None
