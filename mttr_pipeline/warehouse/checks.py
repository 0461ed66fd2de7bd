"""Runs what the header of a table promises: no NULLs, unique keys, its own assertions.

What does not belong here: what a failed check stops.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from mttr_pipeline.errors import first_line
from mttr_pipeline.warehouse.models import Model


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check of one table; `detail` says what was found, for a person."""

    name: str
    passed: bool
    detail: str


def run_checks(con: duckdb.DuckDBPyConnection, model: Model) -> list[CheckResult]:
    """Run every promise of a header against the built table. A check that itself fails is a failed check."""
    queries: dict[str, str] = {}
    if model.not_null:  # one check for all columns: a check of its own for each doubles the time of a small run
        counts = ", ".join(f'count(*) - count("{column}")' for column in model.not_null)
        queries["not_null"] = f"SELECT {counts} FROM {model.place}"
    for columns in model.unique:
        named = ", ".join(f'"{column}"' for column in columns)
        queries[f"unique_{'_'.join(columns)}"] = (
            f"SELECT count(*) FROM (SELECT 1 FROM {model.place} GROUP BY {named} HAVING count(*) > 1)"
        )
    for name, predicate in model.asserts.items():
        queries[name] = f"SELECT count(*) FROM {model.place} WHERE NOT coalesce({predicate}, true)"
    results = []
    for name, query in queries.items():
        try:
            counted = con.execute(query).fetchall()[0]
            broken = [f"{n} rows break it" for n in counted if n]
            if name == "not_null":
                broken = [
                    f"{column} is NULL in {n} rows" for column, n in zip(model.not_null, counted, strict=True) if n
                ]
            results.append(CheckResult(name, not broken, ", ".join(broken) or "holds"))
        except duckdb.Error as error:
            results.append(CheckResult(name, False, f"the check itself failed: {first_line(error)}"))
    return results
