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

SCOPE_COLUMNS = ("severity_id", "service_id", "team_id")


def read(con: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any] = ()) -> Columns:
    """The columns of a query whose numbers are never NULL."""
    return {name: np.asarray(column) for name, column in con.execute(query, list(values)).fetchnumpy().items()}


def variants(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The names of the calculations, sorted."""
    rows = con.execute("SELECT calculation_type FROM config.variants ORDER BY calculation_type").fetchall()
    return [row[0] for row in rows]


def observations(con: duckdb.DuckDBPyConnection, variant: str, since_us: int = -(2**63)) -> Columns:
    """One variant's rows of `core.observations`, in no particular order."""
    return read(
        con,
        """SELECT severity_id, service_id, team_id, started_us, observed_us, is_event FROM core.observations
        WHERE calculation_type = ? AND started_us >= ?""",
        [variant, since_us],
    )


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


def by_scope(rows: Columns) -> Iterator[tuple[Integers, Integers, Integers]]:
    """For the whole and then per scope: the members that have rows, where each one's rows begin (and the last end), and the
    order that puts them so. Inside a member the rows keep the order they come in. The whole is there even without rows.
    """
    count = len(rows[SCOPE_COLUMNS[0]])
    yield np.zeros(1, np.int64), np.array([0, count], dtype=np.int64), np.arange(count)
    for column in SCOPE_COLUMNS:
        n = np.bincount(rows[column])
        used = np.flatnonzero(n)
        yield used, edges_of(n[used]), group_order(rows[column])


def edges_of(n: Integers) -> Integers:
    """Where groups of these sizes begin when they lie one after another, and where the last one ends."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(n)))


def group_order(group: npt.NDArray[Any]) -> Integers:
    """The order that puts groups together. Small numbers are sorted by radix, many times faster than by comparison."""
    small = group.astype(np.uint16) if len(group) and group.max() < 65_536 else group
    return np.argsort(small, kind="stable")
