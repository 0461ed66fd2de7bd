"""`mttr stats`: the calculation on the published database, by the macros that are stored in it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from mttr_pipeline.config.clock import parse_instant
from mttr_pipeline.config.terms import FIXED_VARIANTS, PHASES, SEVERITIES, STAMPS
from mttr_pipeline.errors import ConfigError, ContractError
from mttr_pipeline.reports import instant_text

DIMENSIONS = ("severity", "service", "team", "day", "week", "month")


@dataclass(frozen=True)
class Question:
    """What is asked; None, and no names at all, mean: no filter, the configured rule, the variant's own stamps."""

    calculation_type: str = "basic"
    severities: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    start: str | None = None
    end: str | None = None
    start_stamp: str | None = None
    end_stamp: str | None = None
    include_outliers: bool = False
    outlier_hours: float | None = None
    by: str | None = None


@dataclass(frozen=True)
class Answer:
    """What was calculated, and the results: one row, or one per member.

    `basis` says what a number means: variant, stamps, filters, window, outlier rule, clock and definitions. The columns are
    those of the macros, then n, mean and invalid of every phase of the model in force. Minutes are floats, counts integers,
    no data None.
    """

    basis: dict[str, Any]
    columns: list[str]
    rows: list[tuple[Any, ...]]


def ask(database: Path, question: Question) -> Answer:
    """Answer a question from a published mttr.duckdb.

    Raises ConfigError for an unknown variant, stamp, severity, dimension or instant (naming the valid ones), and
    ContractError when the file cannot be read.
    """
    _check(question)
    try:
        with duckdb.connect(str(database), read_only=True) as con:
            basis = _basis(con, question)
            cursor = con.execute(*_query(basis))
            return Answer(basis, [column[0] for column in cursor.description or []], cursor.fetchall())
    except duckdb.InvalidInputException as error:  # raised by the macros themselves, in a sentence
        raise ConfigError(str(error).splitlines()[0].removeprefix("Invalid Input Error: ") + ".") from error
    except duckdb.Error as error:
        raise ContractError(
            f"{database} cannot be read ({str(error).splitlines()[0]}); publish again with `mttr rebuild`."
        ) from error


def _check(question: Question) -> None:
    for severity in question.severities:
        if severity not in SEVERITIES:
            raise ConfigError(f"--severity: there is no {severity!r}; use {', '.join(SEVERITIES)}.")
    for option, stamp in (("--start-stamp", question.start_stamp), ("--end-stamp", question.end_stamp)):
        if stamp is not None and stamp not in STAMPS:
            raise ConfigError(f"{option}: there is no stamp {stamp!r}; use {', '.join(STAMPS)}.")
    if question.by is not None and question.by not in DIMENSIONS:
        raise ConfigError(f"--by: there is no dimension {question.by!r}; use {', '.join(DIMENSIONS)}.")
    if question.outlier_hours is not None:
        if question.include_outliers:
            raise ConfigError(
                "--include-outliers leaves nothing out, so --outlier-hours has no meaning; give only one."
            )
        if not (math.isfinite(question.outlier_hours) and question.outlier_hours > 0):
            raise ConfigError(f"--outlier-hours must be a number above 0, not {question.outlier_hours:g}.")


def _basis(con: duckdb.DuckDBPyConnection, question: Question) -> dict[str, Any]:
    """The question with everything filled in that the file decides: the variant's stamps, the outlier rule, its clock."""
    ((as_of, phase_model),) = con.execute(
        "SELECT timezone('UTC', max(as_of)), max(phase_model) FROM mttr_stats"
    ).fetchall()
    definitions = con.execute("SELECT name, value, definition_hash FROM metric_definitions").fetchall()
    settings = {name: json.loads(value) for name, value, _ in definitions if name.startswith("setting.")}
    name, start, end = _stamps(question, settings)
    excluded = not question.include_outliers and (
        question.outlier_hours is not None or settings["setting.outliers.enabled"]
    )
    hours = settings["setting.outliers.hours"] if question.outlier_hours is None else question.outlier_hours
    return {
        "calculation_type": name,
        "start_stamp": start,
        "end_stamp": end,
        "by": question.by,
        "filters": {
            "severities": list(question.severities) or None,
            "services": list(question.services) or None,
            "teams": list(question.teams) or None,
        },
        "window": {"start": _instant(question.start, "--start"), "end": _instant(question.end, "--end")},
        "outliers": {"excluded": excluded, "limit_hours": hours if excluded else None},
        "phase_model": phase_model,
        "as_of": instant_text(as_of),
        "definition_hash": definitions[0][2],
    }


def _stamps(question: Question, settings: dict[str, Any]) -> tuple[str, str, str]:
    """What is calculated, from which stamp to which."""
    named = {key.split(".")[2] for key in settings if key.startswith("setting.variants.")}
    own = {
        name: tuple(settings[f"setting.variants.{name}.{end}"] for end in ("start", "end")) for name in sorted(named)
    }
    variants: dict[str, tuple[str | None, ...]] = {**FIXED_VARIANTS, "custom": (None, None), **own}
    if question.calculation_type not in variants:
        raise ConfigError(
            f"--type: there is no variant {question.calculation_type!r}; use {', '.join(variants)} "
            "(custom with --start-stamp and --end-stamp)."
        )
    usual = variants[question.calculation_type]
    start, end = question.start_stamp or usual[0], question.end_stamp or usual[1]
    if start is None or end is None:
        missing = [name for name, stamp in (("--start-stamp", start), ("--end-stamp", end)) if stamp is None]
        raise ConfigError(f"--type custom needs {' and '.join(missing)} too; use two of {', '.join(STAMPS)}.")
    if start == end:
        raise ConfigError(f"--start-stamp and --end-stamp are both {start}; use two different stamps.")
    return question.calculation_type if (start, end) == usual else "custom", start, end


def _instant(text: str | None, option: str) -> str | None:
    return None if text is None else instant_text(parse_instant(text, option))


def _query(basis: dict[str, Any]) -> tuple[str, list[Any]]:
    """The measures of the macros, and the phases of the same incidents."""
    given = {
        "start_stamp": basis["start_stamp"],
        "end_stamp": basis["end_stamp"],
        "start_date": basis["window"]["start"],
        "end_date": basis["window"]["end"],
        "exclude_outliers": basis["outliers"]["excluded"],
        "outlier_threshold_hours": basis["outliers"]["limit_hours"],
        **basis["filters"],
    }
    given = {name: value for name, value in given.items() if value is not None}
    member = ["scope_value_of(?, p.severity, p.service, p.team, p.started_at) AS scope_value"] if basis["by"] else []
    phases = [
        _phase(phase, STAMPS[start - 1], STAMPS[end - 1])
        for model, _, phase, start, end in PHASES
        if model == basis["phase_model"]
    ]
    columns = [*member, "unnest(mttr_measures(p.population, p.duration_us))", *phases]
    query = f"""SELECT {", ".join(columns)}
        FROM mttr_population({", ".join(f"{name} := ?" for name in given)}) AS p
        JOIN incidents AS i USING (incident_id)
        {"GROUP BY scope_value ORDER BY lower(scope_value), scope_value" if basis["by"] else ""}"""
    return query, [*([basis["by"]] if basis["by"] else []), *given.values()]


def _phase(name: str, start: str, end: str) -> str:
    """Counted as in phase_breakdown: without the outliers of the calculation; what ends before it begins is invalid, and so is an
    acknowledgement later than the resolve."""
    length = f"epoch_us(i.{end}) - epoch_us(i.{start})"
    if name == "acknowledgment":
        length = f"CASE WHEN i.{end} > i.resolved_at AND i.{start} IS NOT NULL THEN -1 ELSE {length} END"
    us = f"CASE WHEN p.population <> 'outlier' THEN {length} END"
    n = f"count(*) FILTER (WHERE {us} >= 0)"
    mean = f"(sum({us}) FILTER (WHERE {us} >= 0))::DOUBLE / {n} / 6e7"
    return f"{n} AS {name}_n, {mean} AS {name}_mean_minutes, count(*) FILTER (WHERE {us} < 0) AS {name}_invalid"
