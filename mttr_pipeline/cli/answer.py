"""An answer of `mttr stats` for a person, for a program, and for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.table import Table

from mttr_pipeline.cli.stats import Answer
from mttr_pipeline.cli.terminal import minutes, percent
from mttr_pipeline.hidden import one_line

_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_STEERS = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")  # JSON escapes the others itself
MEMBERS_SIDE_BY_SIDE = 5
#: Columns where every member has a line. `other` is whatever else is left out, so that the counts add up.
_SHORT = {
    "scope_value": "",
    "incidents_matched": "matched",
    "incidents_analyzed": "analysed",
    "excluded_open": "open",
    "excluded_outlier": "outliers",
    "excluded_other": "other",
    "outlier_minutes_share": "outlier minutes",
    "mean_minutes": "mean",
    "median_minutes": "median",
    "p90_minutes": "p90",
    "p95_minutes": "p95",
    "max_minutes": "max",
}


def as_json(answer: Answer) -> str:
    """A list of results, each with what was calculated."""
    rows = [{**answer.basis, **dict(zip(answer.columns, row, strict=True))} for row in answer.rows]
    return json_of(rows)


def json_of(rows: list[dict[str, Any]] | dict[str, Any]) -> str:
    """A list of objects, or one, without what would steer a terminal."""
    return _STEERS.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(rows, indent=2, ensure_ascii=False))


def csv_of(columns: Sequence[str], rows: list[dict[str, Any]]) -> str:
    """A line of column names and one per row, harmless in a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_harmless(row[name]) for name in columns] for row in rows)
    return text.getvalue().rstrip("\n")


def as_csv(answer: Answer) -> str:
    """The same, flat: what was calculated is in the first columns of every line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    basis = dict(_flat(answer.basis))
    writer.writerow([*basis, *answer.columns])
    writer.writerows([*map(_harmless, basis.values()), *map(_harmless, row)] for row in answer.rows)
    return text.getvalue().rstrip("\n")


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet does not take for a formula (OWASP, CSV Injection), on one line. Numbers stay numbers."""
    if not isinstance(value, str):
        return value
    begins_a_formula = _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    return f"{chr(39) if begins_a_formula else ''}{one_line(value)}"


def _flat(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}_")
        else:
            yield f"{prefix}{name}", json.dumps(value) if isinstance(value, bool | list) else value


def in_words(basis: dict[str, Any]) -> str:
    """What was calculated, as one line."""
    start, end = (basis[name].removesuffix("_at").replace("_", " ") for name in ("start_stamp", "end_stamp"))
    counted = [
        f"{name} {' or '.join(basis['filters'][plural])}"
        for name, plural in (("severity", "severities"), ("service", "services"), ("team", "teams"))
        if basis["filters"][plural]
    ]
    window = basis["window"]
    counted += [f"from {_moment(window['start'])}"] if window["start"] else []
    counted += [f"before {_moment(window['end'])}"] if window["end"] else []
    limit = basis["outliers"]["limit_hours"]
    return (
        f"Minutes from {start} to {end} ({basis['calculation_type']}), as of {_moment(basis['as_of'])}: "
        f"{', '.join(counted) or 'all incidents'}; {'no outlier rule' if limit is None else f'outliers: longer than {limit:g} h'}; "
        f"phases: {basis['phase_model']} model; definitions {basis['definition_hash']}"
    )


def _moment(text: str) -> str:
    return text.removesuffix("Z").replace("T", " ").removesuffix(":00") + " UTC"


def as_table(answer: Answer) -> Table | str:
    """Every figure of a few members side by side, the phases below; of many members the main ones, a line each. Minutes."""
    members = answer.columns[:1] == ["scope_value"]
    if not answer.rows:
        return "no incident matches"
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    table = Table(box=box.SIMPLE_HEAD)
    if len(rows) > MEMBERS_SIDE_BY_SIDE:
        for short in _SHORT.values():
            table.add_column(short, justify="right" if short else "left", no_wrap=True)
        for row in rows:
            row["excluded_other"] = row["incidents_excluded"] - row["excluded_open"] - row["excluded_outlier"]
            table.add_row(*(_cell(name, row[name]) for name in _SHORT))
        return table
    table.add_column("")
    for row in rows:
        table.add_column(str(row["scope_value"]) if members else "value", justify="right", no_wrap=True)
    phases = [name.removesuffix("_n") for name in answer.columns if name.endswith("_n")]
    for name in answer.columns[members:]:
        if not name.startswith(tuple(phases)):
            table.add_row(name, *(_cell(name, row[name]) for row in rows))
    table.add_section()
    for phase in phases:
        cells = (f"{minutes(row[f'{phase}_mean_minutes'])} ({row[f'{phase}_n']})" for row in rows)
        table.add_row(f"{phase}, mean (n)", *cells)
    return table


def _cell(name: str, value: object) -> str:
    if isinstance(value, float):
        return percent(value) if name.endswith("_share") else minutes(value)
    return "-" if value is None else str(value)
