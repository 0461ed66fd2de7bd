"""The door for files: the same judgement for CSV, Parquet, JSON and JSON Lines, and a sentence that fits the cause.

A file comes in when one of its records has an external_id, is a webhook body that a source reads, or cannot be judged because no
line of it can be read. A file for a preset comes in when it has what the preset needs.

What belongs here: the file as a whole, before anything is written. What does not: single records (`importer`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from mttr_pipeline.config.imports import KNOWN_FIELDS
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.intake.presets import Preset, elements, house_presets
from mttr_pipeline.intake.strangers import whose
from mttr_pipeline.landing.formats import DELIMITERS, NULL_WORDS
from mttr_pipeline.landing.readers import Input, Readable, Unreadable, explained, readable
from mttr_pipeline.sources.kit.declare import Fields

ID = "external_id"
PAGE = "see docs/custom-records.md"
#: Folded names of columns that often hold a record's own id, the likeliest first.
_IDS = (
    *(
        "externalid",
        "id",
        "incidentid",
        "alertid",
        "issuekey",
        "key",
        "ticketid",
        "ticketkey",
        "caseid",
        "recordid",
        "eventid",
    ),
    *(
        "sysid",
        "uid",
        "uuid",
        "guid",
        "number",
        "incidentnumber",
        "incidentno",
        "ticketnumber",
        "ticketno",
        "ticket",
        "issueid",
    ),
    *("reference", "ref", "code"),
)
_MOST = 200  # characters of a list of names that are shown


class _Seen(NamedTuple):
    """The first record of a file without an id: its members and its bytes."""

    fields: Fields
    content: bytes


def inspect(file: Input, is_body: Callable[[Fields], bool]) -> None:
    """Let a file in. `is_body` says whether a record is a webhook body that a source reads. Raises ConfigError."""
    with explained(file.name):
        columns = file.header()
        if columns is not None and ID not in columns:
            raise ConfigError(f"{file.name} has no column {ID} (found: {_shown(columns)}); {_remedy(columns, True)}.")
        first: _Seen | None = None
        for _, content in file.read():
            if isinstance(content, Unreadable):
                continue
            found = readable(content)
            if isinstance(found, Unreadable):
                continue
            if _says(found.fields.get(ID)) or is_body(found.fields):
                return
            first = first or _Seen(found.fields, found.content)
    if first is None:
        return  # each line goes to quarantine with its own reason
    if columns is not None or ID in first.fields:
        raise ConfigError(f"{file.name}: no record has an {ID}; it is empty in all of them: fill it in, {PAGE}.")
    raise ConfigError(f"{file.name}: no record has an {ID}; {_about(first)}.")


def inspect_for(preset: Preset, file: Input) -> None:
    """Let a file in for a preset. Raises ConfigError, which names what is missing."""
    with explained(file.name):
        columns = file.header()
        if not preset.takes(columns is not None):
            right = "CSV or Parquet file" if preset.form == "table" else "JSON or JSON Lines file"
            raise ConfigError(
                f"{file.name} does not fit the preset {preset.name}, which reads a {right}; name another preset."
            )
        names: Collection[str] = columns or ()
        inner: Collection[str] = ()
        if columns is None:
            found = (readable(c) for _, c in elements(preset, file.read()) if not isinstance(c, Unreadable))
            first = next((record for record in found if isinstance(record, Readable)), None)
            names = first.fields.keys() if first else ()
            nested = readable(n[1][0]) if first and (n := _nested(first.fields)) else None
            inner = nested.fields.keys() if isinstance(nested, Readable) else ()
    missing = preset.missing(names)
    if missing:
        table = columns is not None
        wanted = ", ".join(need.replace("|", " or ") for need in missing)
        other = [name for name in [*_fitting(names, table), *_fitting(inner, table)] if name != preset.name]
        advice = f"use `--as {other[0]}`" if other else "name a preset that does"
        what = "no column" if table else "no record with"
        raise ConfigError(
            f"{file.name} does not fit the preset {preset.name}: it has {what} {wanted} (found: {_shown(names)}); {advice}."
        )


def spelling(name: str) -> str | None:
    """The field that a name means, written otherwise: `External_ID` is external_id. None for a field's own name and for others."""
    plain = _plain(name)
    return next((field for field in KNOWN_FIELDS if field != name and _plain(field) == plain), None)


def _about(first: _Seen) -> str:
    """What a JSON file without an id is, and what to do."""
    stranger, nested = whose(first.content), _nested(first.fields)
    if nested and not stranger:
        name, elements = nested
        place = f'the records seem to stand under "{name}" ({len(elements)})'
        inner = readable(elements[0])
        if isinstance(inner, Unreadable) or ID in inner.fields:
            return f"{place}: write them as an array of their own, {PAGE}"
        stranger = whose(inner.content)
        if stranger and stranger.advice:
            return f"{place}, and each looks like {stranger.name}: {stranger.advice}"
        preset = "".join(f"use `--as {name}`, or " for name in _fitting(inner.fields, False)[:1])
        return f"{place}: {preset}give an array of them and {_rename(list(inner.fields), False)}"
    if stranger:
        advice = stranger.advice or f"this is not read as it is; turn it into custom records, {PAGE}"
        return f"it looks like {stranger.name}: {advice}"
    return f"{_remedy(list(first.fields), False)} (found: {_shown(first.fields)})"


def _remedy(names: Sequence[str], table: bool) -> str:
    """What to do about a file whose names are these."""
    if table and len(names) == 1:
        for delimiter, called in DELIMITERS.items():
            if delimiter != "," and delimiter in names[0]:
                return (
                    f"its columns seem to be separated by {called}: save it with commas, or read it with a preset "
                    f"(`mttr import --as`), {PAGE}"
                )
    wrong = [(name, field) for name in names if (field := spelling(name))]
    if any(field == ID for _, field in wrong):
        written = ", ".join(f"{name} is written {field}" for name, field in wrong)
        return f"field names are written in lower case: {written}"
    fitting = _fitting(names, table)
    rename = _rename(names, table)
    return f"use `--as {fitting[0]}`, or {rename}" if fitting else rename


def _rename(names: Sequence[str], table: bool) -> str:
    """Which name to change, with those that look like the id."""
    order = {name: place for place, name in enumerate(_IDS)}
    likely = sorted((name for name in names if _plain(name) in order), key=lambda name: order[_plain(name)])
    guess = f" ({' '.join(f'{name}?' for name in likely[:3])})" if likely else ""
    what = "column" if table else "field"
    return f"rename the {what} that holds the record's own id{guess} to {ID}, {PAGE}"


def _fitting(names: Iterable[str], table: bool) -> list[str]:
    """The presets that a file with these names has everything for, the most demanding first."""
    given = list(names)
    found = [p for p in house_presets().values() if p.takes(table) and not p.missing(given)]
    return [p.name for p in sorted(found, key=lambda p: -len(p.needs))]


def _nested(fields: Fields) -> tuple[str, list[bytes]] | None:
    """The longest list of objects among the members of an object; None for one that has an id, and so is a record itself."""
    if any(_plain(name) in _IDS for name in fields):
        return None
    lists = []
    for name, raw in fields.items():
        if bytes(raw).lstrip().startswith(b"["):
            items = [bytes(item).strip() for item in msgspec.json.decode(raw, type=list[msgspec.Raw])]
            if items and items[0].startswith(b"{"):
                lists.append((name, items))
    return max(lists, key=lambda pair: len(pair[1]), default=None)


def _says(value: msgspec.Raw | None) -> bool:
    if value is None:
        return False
    content = bytes(value).strip()
    if content in (b"null", b"{}", b"[]"):
        return False
    return not (content.startswith(b'"') and len(content) < 80 and msgspec.json.decode(content).strip() in NULL_WORDS)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _shown(names: Iterable[str]) -> str:
    text = ", ".join(names)
    return text if len(text) <= _MOST else text[:_MOST] + "..."
