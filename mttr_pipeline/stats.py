"""`mttr stats`: the calculation on the published database, by the macros that are stored in it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import duckdb

from mttr_pipeline.errors import ConfigError, ContractError
from mttr_pipeline.settings import STAMPS, Severity, parse_instant

DIMENSIONS = ("severity", "service", "team", "day", "week", "month")
FORMATS = ("table", "json", "csv")


@dataclass(frozen=True)
class Question:
    """What is asked; None and empty mean: no filter, the configured rule, the variant's own stamps."""

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
    """Column names and rows as the macros gave them; minutes are floats, counts integers, no data None."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def as_json(self) -> str:
        return json.dumps(
            [dict(zip(self.columns, row, strict=True)) for row in self.rows], indent=2, ensure_ascii=False
        )

    def as_csv(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return text.getvalue().rstrip("\n")


def ask(database: Path, question: Question) -> Answer:
    """Answer a question from a published mttr.duckdb.

    Raises ConfigError for an unknown variant, stamp, severity, dimension or instant (naming the valid ones), and
    ContractError when the file cannot be read.
    """
    _check(question)
    arguments: dict[str, Any] = {
        "calculation_type": question.calculation_type,
        "severities": list(question.severities) or None,
        "services": list(question.services) or None,
        "teams": list(question.teams) or None,
        "start_date": parse_instant(question.start, "--start").isoformat() if question.start else None,
        "end_date": parse_instant(question.end, "--end").isoformat() if question.end else None,
        "start_stamp": question.start_stamp,
        "end_stamp": question.end_stamp,
        "outlier_threshold_hours": question.outlier_hours,
        "exclude_outliers": False if question.include_outliers else None,
    }
    given = {name: value for name, value in arguments.items() if value is not None}
    call = ", ".join([*(["?"] if question.by else []), *(f"{name} := ?" for name in given)])
    values = [*([question.by] if question.by else []), *given.values()]
    try:
        with duckdb.connect(str(database), read_only=True) as con:
            cursor = con.execute(f"FROM {'mttr_by' if question.by else 'mttr'}({call})", values)
            return Answer([column[0] for column in cursor.description or []], cursor.fetchall())
    except duckdb.InvalidInputException as error:  # raised by the macros themselves, in a sentence
        raise ConfigError(str(error).splitlines()[0].removeprefix("Invalid Input Error: ") + ".") from error
    except duckdb.Error as error:
        raise ContractError(
            f"{database} cannot be read ({str(error).splitlines()[0]}); publish again with `mttr rebuild`."
        ) from error


def _check(question: Question) -> None:
    known = get_args(Severity)
    for severity in question.severities:
        if severity not in known:
            raise ConfigError(f"--severity: there is no {severity!r}; use {', '.join(known)}.")
    for option, stamp in (("--start-stamp", question.start_stamp), ("--end-stamp", question.end_stamp)):
        if stamp is not None and stamp not in STAMPS:
            raise ConfigError(f"{option}: there is no stamp {stamp!r}; use {', '.join(STAMPS)}.")
    if question.by is not None and question.by not in DIMENSIONS:
        raise ConfigError(f"--by: there is no dimension {question.by!r}; use {', '.join(DIMENSIONS)}.")
    if question.outlier_hours is not None and question.outlier_hours <= 0:
        raise ConfigError(f"--outlier-hours must be above 0, not {question.outlier_hours:g}.")
