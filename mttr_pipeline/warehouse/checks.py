"""Runs what the header of a table promises: no NULLs, unique keys, its own assertions.

What does not belong here: what a failed check stops.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from mttr_pipeline.errors import first_line
from mttr_pipeline.warehouse.models import Model

#: The last column of a key that numbers incidents from 0 on, as their row in core.incidents does.
NUMBERED = "incident_no"


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check of one table; `detail` says what was found, for a person."""

    name: str
    passed: bool
    detail: str


def run_checks(con: duckdb.DuckDBPyConnection, model: Model) -> list[CheckResult]:
    """Run every promise of a header against the built table. A check that itself fails is a failed check."""
    counts = {"not_null": [f'count(*) - count("{column}")' for column in model.not_null]} if model.not_null else {}
    counts |= {
        name: [f"count(*) FILTER (WHERE NOT coalesce({predicate}, true))"] for name, predicate in model.asserts.items()
    }
    results = {name: CheckResult(name, True, "holds") for name in model.promises()}
    try:  # in one scan: a query for each check takes longer than making most tables of a small run
        found = iter(_counted(con, [one for of_check in counts.values() for one in of_check], model.place))
        broken = {name: [next(found) for _ in of_check] for name, of_check in counts.items()}
        results |= {name: _result(model, name, numbers) for name, numbers in broken.items()}
    except duckdb.Error:
        results |= {name: _alone(con, model, name, of_check, model.place) for name, of_check in counts.items()}
    for columns in model.unique:  # not with the others: the keys of a large table fill the memory
        name, named = f"unique_{'_'.join(columns)}", ", ".join(f'"{column}"' for column in columns)
        if not _is_surely_unique(con, model, columns, named):
            twice = f"(SELECT 1 FROM {model.place} GROUP BY {named} HAVING count(*) > 1)"
            results[name] = _alone(con, model, name, ["count(*)"], twice)
    return list(results.values())


def _is_surely_unique(con: duckdb.DuckDBPyConnection, model: Model, columns: tuple[str, ...], named: str) -> bool:
    """Whether no key is there twice, proven by less than the keys. Without a proof the keys themselves decide.

    Equal keys have equal hashes, so as many hashes as rows are a proof. Numbers of incidents are dense: each has a bit instead.
    """
    rows = model.place
    try:
        if columns[-1] == NUMBERED:
            most = _counted(con, [f"max({NUMBERED})"], rows)[0]
            bits = f"bit_count(bitstring_agg({NUMBERED}, 0, {most})) AS bits"
            rows = f"(SELECT count(*) AS n, {bits} FROM {rows} GROUP BY {', '.join([*columns[:-1], '()'])})"
            return _counted(con, ["sum(n) = sum(bits)"], rows) == (True,)
        return _counted(con, [f"count(*) = count(DISTINCT hash({named}))"], rows) == (True,)
    except duckdb.Error:
        return False


def _counted(con: duckdb.DuckDBPyConnection, counts: list[str], rows: str) -> tuple[int, ...]:
    return con.execute(f"SELECT {', '.join(counts)} FROM {rows}").fetchall()[0] if counts else ()


def _alone(con: duckdb.DuckDBPyConnection, model: Model, name: str, counts: list[str], rows: str) -> CheckResult:
    """A check by itself."""
    try:
        return _result(model, name, _counted(con, counts, rows))
    except duckdb.Error as error:
        return CheckResult(name, False, f"the check itself failed: {first_line(error)}")


def _result(model: Model, name: str, numbers: Iterable[int]) -> CheckResult:
    """What the numbers of rows that break a check say."""
    if name == "not_null":
        broken = [f"{column} is NULL in {n} rows" for column, n in zip(model.not_null, numbers, strict=True) if n]
    else:
        broken = [f"{n} rows break it" for n in numbers if n]
    return CheckResult(name, not broken, ", ".join(broken) or "holds")
