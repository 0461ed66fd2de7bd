"""Reads the observations that statistics are made of, as columns, and puts them into groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Columns = dict[str, npt.NDArray[Any]]

SCOPES = ("all", "severity", "service", "team")


def read(con: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any] = ()) -> Columns:
    """The columns of a query whose numbers are never NULL."""
    return {name: np.asarray(column) for name, column in con.execute(query, list(values)).fetchnumpy().items()}


def variants(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The names of the calculations, sorted."""
    rows = con.execute("SELECT calculation_type FROM config.variants ORDER BY calculation_type").fetchall()
    return [row[0] for row in rows]


def observations(con: duckdb.DuckDBPyConnection, variant: str, since_us: int | None = None) -> Columns:
    """One variant's rows of `core.observations`, in the order in which the incidents started."""
    rows = read(
        con,
        """SELECT severity_id, service_id, team_id, started_us, observed_us, is_event FROM core.observations
        WHERE calculation_type = ? AND started_us >= ?""",
        [variant, -(2**63) if since_us is None else since_us],
    )
    return picked(rows, np.lexsort((rows["is_event"], rows["observed_us"], rows["started_us"])))


def windows(con: duckdb.DuckDBPyConnection, started_us: Integers) -> Iterator[tuple[str, Flags | None]]:
    """Each window of `core.windows` and which rows lie in it; None is all of them."""
    found = con.execute(
        "SELECT name, epoch_us(window_start), epoch_us(window_end) FROM core.windows ORDER BY window_start NULLS FIRST"
    ).fetchall()
    for name, start, end in found:
        yield name, None if start is None else (started_us >= start) & (started_us < end)


def picked(columns: Columns, rows: npt.NDArray[Any]) -> Columns:
    """Some rows, by place or by flag."""
    return {name: values[rows] for name, values in columns.items()}


def joined(parts: Sequence[Columns]) -> Columns:
    """Columns one after another."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def by_scope(con: duckdb.DuckDBPyConnection, rows: Columns) -> Iterator[tuple[Integers, Integers, Integers]]:
    """Per scope: the members that have rows, where each one's rows begin (and the last end), and the order that puts them so.

    Inside a member the rows keep the order they come in.
    """
    count = len(rows["started_us"])
    if count == 0:
        return
    for scope in SCOPES:
        if scope == "all":
            yield np.zeros(1, np.int64), np.array([0, count], dtype=np.int64), np.arange(count)
            continue
        member = rows[f"{scope}_id"]
        n = np.bincount(member)
        used = np.flatnonzero(n)
        # Small numbers are sorted by radix, many times faster than by comparison.
        small = member.astype(np.uint16) if len(n) <= 65_536 else member
        yield used, np.concatenate(([0], np.cumsum(n[used]))), np.argsort(small, kind="stable")
