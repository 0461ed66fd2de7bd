"""Presets of `mttr import --as`: how a file of another program becomes records.

A preset of the house is a file of `sql/import`: a TOML header that documents it, and a SELECT over the table `given` (`line`,
`record`). One of the user's own stands in `[imports.<name>]` and becomes such a SELECT. The header says:

    form      table (CSV, Parquet) or json
    records   names under which the list of records stands in JSON, where the records are not the file's own elements
    needs     columns or members without which a file does not fit; `a|b` is one of both
    lands     where its rows go: custom.records (the default), <source>.<stream> as they came, or inbox.<account>

What belongs here: running a preset. What does not: whether a file may come in (`door`), which values are right (`sql/raw`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import duckdb
import msgspec

from mttr_pipeline.config.imports import ImportPreset
from mttr_pipeline.config.places import sql_folder
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ConfigError, ContractError
from mttr_pipeline.landing.formats import Reading, folded
from mttr_pipeline.landing.lines import Lines, Unreadable, readable, unreadable

CUSTOM = "custom.records"
_BATCH = 5_000
_PAGE = 1 << 30  # a whole answer of a vendor is one object
_MICROSECONDS = {"milliseconds": 1e3, "seconds": 1e6, "minutes": 6e7, "hours": 3.6e9, "days": 8.64e10}
_AS_GIVEN = Reading(as_given=True)
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True)
class Preset:
    """One preset. `columns` documents what it makes; `reading` says how its files are read."""

    name: str
    description: str
    form: str
    needs: tuple[str, ...]
    columns: Mapping[str, str]
    sql: str
    records: tuple[str, ...] = ()
    lands: str = CUSTOM
    reading: Reading = _AS_GIVEN

    def missing(self, names: Iterable[str]) -> list[str]:
        """What a file with these columns or members lacks."""
        there = {folded(name) for name in names} if self.form == "table" else set(names)
        return [need for need in self.needs if not there & set(need.split("|"))]

    def takes(self, has_columns: bool) -> bool:
        """Whether it is for a file of this form. One of the user's own is for both."""
        return self.form == "any" or (self.form == "table") == has_columns


@cache
def house_presets() -> Mapping[str, Preset]:
    """The presets of `sql/import`, by name. Raises ContractError for a file without a right header."""
    found = {}
    for path in sorted((sql_folder() / "import").glob("*.sql")):
        header, _, sql = path.read_text(encoding="utf-8").removeprefix("/*").partition("*/")
        try:
            content = tomllib.loads(header)
            found[path.stem] = Preset(
                path.stem,
                " ".join(content["description"].split()),
                content["form"],
                tuple(content["needs"]),
                content["columns"],
                sql.strip().rstrip(";"),
                tuple(content.get("records", ())),
                content.get("lands", CUSTOM),
            )
        except (tomllib.TOMLDecodeError, KeyError) as error:
            raise ContractError(f"sql/import/{path.name}: its header is wrong ({error}).") from error
    return found


def preset(name: str, settings: Settings | None = None) -> Preset:
    """The preset of that name; one of `[imports.<name>]` goes before one of the house. Raises ConfigError."""
    own = settings.file.imports if settings else {}
    if name in own:
        return own_preset(name, own[name])
    if name in house_presets():
        return house_presets()[name]
    known = ", ".join([*own, *house_presets()])
    raise ConfigError(f"There is no preset {name!r}; known: {known}. [imports.{_key(name)}] in mttr.toml makes one.")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else "<name>"


def own_preset(name: str, given: ImportPreset) -> Preset:
    """A preset of the user's own as a SELECT."""
    nothing = given.null_values
    zoned = given.time_format is not None and "%z" in given.time_format

    def text(column: str) -> str:
        steps = [f'$."{folded(column)}"', _path(column)]
        cell = " , ".join(f"cell(record, {_quoted(step)})" for step in dict.fromkeys(steps))
        cell = f"coalesce({cell})" if len(set(steps)) > 1 else cell
        return f"CASE WHEN {cell} NOT IN ({', '.join(map(_quoted, nothing))}) THEN {cell} END" if nothing else cell

    def value(field: str, column: str) -> str:
        if field == "tags":
            steps = dict.fromkeys((f'$."{folded(column)}"', _path(column)))
            found = [f"cells(record, {_quoted(step)}, ',')" for step in steps]
            return f"CASE WHEN len({found[0]}) > 0 THEN {found[0]} ELSE {found[-1]} END"
        if field == "timeline":
            return f"json_extract(record, {_quoted(_path(column))})"
        if field.endswith("_at") and given.time_format:
            macro = "offset_time" if zoned else "local_time"
            return f"{macro}({text(column)}, {_quoted(given.time_format)})"
        words: Mapping[str, str] = given.status if field == "status" else given.severity if field == "severity" else {}
        if words:
            cases = " ".join(f"WHEN {_quoted(_word(word))} THEN {_quoted(meaning)}" for word, meaning in words.items())
            return f"CASE {_COMPARED.format(text(column))} {cases} ELSE {text(column)} END"
        return text(column)

    made = {field: value(field, column) for field, column in given.columns.items()}
    for stamp, duration in given.durations.items():
        us = _MICROSECONDS[duration.unit]
        made[stamp] = f"time_after({made[duration.after]}, {text(duration.column)}, {us!r})"
    return Preset(
        name,
        f"[imports.{name}] in mttr.toml",
        "any",
        (),
        given.columns,
        f"SELECT line, {', '.join(f'{made[field]} AS {field}' for field in made)} FROM given",
        (given.records,) if given.records else (),
        CUSTOM,
        Reading(given.encoding, given.delimiter, frozenset(given.null_values), as_given=True),
    )


#: A word of a file as it is compared: without capitals, blanks, - and _.
_COMPARED = "regexp_replace(lower({}), '[\\s_-]+', '', 'g')"


def _word(word: str) -> str:
    return re.sub(r"[\s_-]+", "", word.lower())


def _path(column: str) -> str:
    parts = column.split(".")
    parts = parts if all(parts) else [column]
    return "$" + "".join('."{}"'.format(part.replace('"', "")) for part in parts)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def elements(preset: Preset, lines: Lines) -> Lines:
    """The records of a file: its elements, or what stands in the list that the preset names, byte for byte."""
    for number, content in lines:
        if isinstance(content, Unreadable) or not preset.records:
            yield number, content
            continue
        found = _listed(content, preset.records)
        if found is None:
            yield number, content
            continue
        yield from enumerate(found, number)


def _listed(content: bytes, names: Iterable[str]) -> list[bytes] | None:
    page = readable(content, _PAGE)
    if isinstance(page, Unreadable):
        return None
    for name in names:
        fields: Mapping[str, msgspec.Raw] = page.fields
        *way, last = name.split(".")
        try:
            for step in way:
                fields = _decode(fields[step])
            return [bytes(raw).strip() for raw in msgspec.json.decode(fields[last], type=list[msgspec.Raw])]
        except (KeyError, msgspec.MsgspecError, RecursionError):
            continue
    return None


@dataclass(frozen=True)
class Made:
    """What a preset made of one record: the members of the row, the record it comes from, and how many characters were replaced."""

    row: Mapping[str, msgspec.Raw]
    given: bytes
    replaced: int


class Runner:
    """Runs a preset over the lines of files. A context manager: it holds a DuckDB of its own in memory."""

    def __init__(self, preset: Preset, zone: str | None) -> None:
        self.preset = preset
        self._con = duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False})
        self._con.execute("SET enable_progress_bar = false")
        self._con.execute(f"SET TimeZone = {_quoted(zone or 'UTC')}")
        self._con.execute("SET VARIABLE zone_known = ?", [zone is not None])
        self._con.execute((sql_folder() / "macros" / "import.sql").read_text(encoding="utf-8"))

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._con.close()

    def made(self, lines: Lines) -> Iterator[tuple[int, Made | Unreadable]]:
        """The rows of each line, in the order of the lines but for those that cannot be read."""
        batch: list[tuple[int, bytes, int]] = []
        size = 0
        for number, content in elements(self.preset, lines):
            found = readable(content) if isinstance(content, bytes) else content
            if isinstance(found, Unreadable):
                yield number, found
                continue
            batch.append((number, found.content, found.replaced))
            size += len(found.content)
            if len(batch) >= _BATCH or size > 64 << 20:
                yield from self._run(batch)
                batch, size = [], 0
        if batch:
            yield from self._run(batch)

    def _run(self, batch: list[tuple[int, bytes, int]]) -> Iterator[tuple[int, Made | Unreadable]]:
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE given AS "
            "SELECT generate_subscripts(r, 1) - 1 AS line, unnest(r)::JSON AS record FROM (SELECT ?::VARCHAR[] AS r)",
            [[content.decode() for _, content, _ in batch]],
        )
        if "." in self.preset.lands and not self.preset.lands.startswith(("custom.", "inbox.")):
            for number, content, replaced in batch:  # as it came, byte for byte
                yield number, Made({"record": msgspec.Raw(content)}, content, replaced)
            return
        try:
            rows = self._con.execute(
                f"SELECT r.line, to_json(r) FROM ({self.preset.sql}) AS r ORDER BY r.line"
            ).fetchall()
        except duckdb.Error as error:
            first = str(error).splitlines()[0]
            raise ConfigError(
                f"The preset {self.preset.name} cannot read these records ({first}); correct its settings."
            ) from error
        seen = set()
        for place, row in rows:
            number, content, replaced = batch[place]
            seen.add(place)
            kept = {
                name: raw for name, raw in _decode(row).items() if name != "line" and bytes(raw) not in (b"null", b"[]")
            }
            yield number, Made(kept, content, replaced)
        for place, (number, content, _) in enumerate(batch):
            if place not in seen:
                yield number, unreadable(content, f"the preset {self.preset.name} makes no record of it")
