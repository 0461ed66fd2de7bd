"""Reads the observations that statistics are made of, as columns, and puts them into groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import duckdb
import numpy as np
import numpy.typing as npt

from mttr_pipeline.metrics.memory import keep_freed_columns

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Columns = dict[str, npt.NDArray[Any]]

# In logarithms a shorter duration counts as one second: 0 has none, and vendors' clocks tick in seconds.
TICK_US = 1_000_000
SCOPES = (
    None,
    "severity_id",
    "service_id",
    "team_id",
)  # columns that tell the member of a scope; None: all are one member

Result = TypeVar("Result")


def read(con: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any] = ()) -> Columns:
    """The columns of a query whose numbers are never NULL."""
    return {name: np.asarray(column) for name, column in con.execute(query, list(values)).fetchnumpy().items()}


def variants(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The names of the calculations, sorted."""
    rows = con.execute("SELECT calculation_type FROM config.variants ORDER BY calculation_type").fetchall()
    return [row[0] for row in rows]


def observations(con: duckdb.DuckDBPyConnection, variant: str, since_us: int = -(2**63)) -> Columns:
    """One variant's rows of `figures.observations` in time order: by time, events before the censored."""
    rows = read(
        con,
        """SELECT severity_id, service_id, team_id, started_us, observed_us, is_event FROM figures.observations
        WHERE calculation_type = ? AND started_us >= ?""",
        [variant, since_us],
    )
    # One column of integers is sorted here, where DuckDB would sort whole rows.
    return picked(rows, np.argsort(rows["observed_us"] * 2 + ~rows["is_event"]))


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


@dataclass(frozen=True)
class Groups:
    """Rows put into groups, those of one member after those of another; inside a group they keep the order they came in."""

    column: str | None  # that tells the member of a row; None: all rows are one group
    member: Integers
    bounds: Integers  # where each group begins, and where the last one ends
    of_row: npt.NDArray[Any]  # the member of each row

    @cached_property
    def order(self) -> Integers:
        """The rows, group after group."""
        return np.arange(len(self.of_row)) if self.column is None else group_order(self.of_row)


def grouped(rows: Columns, column: str | None, member: Integers | None = None) -> Groups:
    """Rows by the member they belong to: the given members, else those that have any."""
    if column is None:
        count = len(next(iter(rows.values())))
        return Groups(None, np.zeros(1, np.int64), np.array([0, count]), np.zeros(count, np.uint16))
    n = np.bincount(rows[column], minlength=0 if member is None or len(member) == 0 else int(member.max()) + 1)
    member = np.flatnonzero(n) if member is None else member
    return Groups(column, member, edges_of(n[member]), rows[column])


def by_scope(rows: Columns) -> list[Groups]:
    """The whole, which is there even without rows, and the members of every scope that have any."""
    return [grouped(rows, column) for column in SCOPES]


def in_parallel(tasks: Iterable[Callable[[], Result]]) -> list[Result]:
    """The results in the order of the tasks. Two run at a time while later ones are still being made: numpy lets go of the
    interpreter as long as it works on columns.
    """
    keep_freed_columns()
    with ThreadPoolExecutor(2) as pool:
        return [started.result() for started in [pool.submit(task) for task in tasks]]


def edges_of(n: Integers) -> Integers:
    """Where groups of these sizes begin when they lie one after another, and where the last one ends."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(n)))


def order_of(values: Integers) -> Integers:
    """The order that sorts, equal values as they came: numpy's stable sort, in a fifth of its time where few are equal."""
    order = np.argsort(values)
    ordered = values[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(same):
        tied = np.union1d(same, same + 1)
        order[tied] = order[tied][np.lexsort((order[tied], ordered[tied]))]
    return order


def group_order(group: npt.NDArray[Any]) -> Integers:
    """The order that puts groups together. Small numbers are sorted by radix, many times faster than by comparison."""
    small = group.astype(np.uint16) if len(group) and group.max() < 65_536 else group
    return np.argsort(small, kind="stable")
