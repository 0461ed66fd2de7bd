"""Columns as numpy arrays: reading them from DuckDB, cutting them into windows of time, sorting and grouping their rows.

What belongs here: what several statistics do with rows before they compute anything. What does not: the statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
#: Column name -> values; all columns have the same length.
Columns = dict[str, npt.NDArray[Any]]

#: Logarithms count a shorter duration as one second: the logarithm of 0 does not exist, and vendors record whole seconds.
TICK_US = 1_000_000
#: Per scope the column with the member_id of a row; None for the scope `all`, which has one member.
SCOPES = (None, "severity_id", "service_id", "team_id")

_FIRST_INSTANT, _LAST_INSTANT = -(2**63), 2**63 - 1

Result = TypeVar("Result")


def read(con: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any] = ()) -> Columns:
    """The result of a query as columns. Its numbers must not be NULL."""
    return {name: np.asarray(column) for name, column in con.execute(query, list(values)).fetchnumpy().items()}


def variants(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The calculation types, sorted by name."""
    rows = con.execute("SELECT calculation_type FROM config.variants ORDER BY calculation_type").fetchall()
    return [row[0] for row in rows]


def observations(
    con: duckdb.DuckDBPyConnection, variant: str, since_us: int = _FIRST_INSTANT, also: Sequence[str] = ()
) -> Columns:
    """The rows of `figures.observations` of one variant that started at or after an instant; `also` names further columns.

    They are sorted by observed time; of equal times, events come before censored rows.
    """
    names = ", ".join(["severity_id", "service_id", "team_id", "started_us", "observed_us", "is_event", *also])
    rows = read(
        con,
        f"SELECT {names} FROM figures.observations WHERE calculation_type = ? AND started_us >= ?",
        [variant, since_us],
    )
    # Sorting one column of integers here is faster than letting DuckDB sort whole rows.
    return picked(rows, np.argsort(rows["observed_us"] * 2 + ~rows["is_event"]))


@dataclass(frozen=True)
class Windows:
    """Half-open windows of time that do not overlap, in ascending order. Bounds are microseconds since 1970."""

    ids: Integers
    starts_us: Integers
    ends_us: Integers

    def number_of(self, instants_us: Integers) -> Integers:
        """The number of the window that each instant lies in, counted from 0; -1 for none."""
        number = np.full(len(instants_us), -1)
        if len(self.ids):
            near = np.flatnonzero((instants_us >= self.starts_us[0]) & (instants_us < self.ends_us[-1]))
            last_begun = np.searchsorted(self.starts_us, instants_us[near], side="right") - 1
            number[near] = np.where(instants_us[near] < self.ends_us[last_begun], last_begun, -1)
        return number


def periods(con: duckdb.DuckDBPyConnection) -> tuple[Windows, Windows]:
    """The windows of `core.windows`: the whole history; and the previous and the current period."""
    found = read(
        con,
        """SELECT window_id, coalesce(epoch_us(window_start), $1) AS starts_us, coalesce(epoch_us(window_end), $2) AS ends_us
        FROM core.windows ORDER BY starts_us""",
        [_FIRST_INSTANT, _LAST_INSTANT],
    )
    whole, recent = (picked(found, rows) for rows in (slice(0, 1), slice(1, None)))
    return Windows(*whole.values()), Windows(*recent.values())


def picked(columns: Columns, rows: npt.NDArray[Any] | slice) -> Columns:
    """Some rows: by number, by flag or as a slice."""
    return {name: values[rows] for name, values in columns.items()}


def joined(parts: Sequence[Columns]) -> Columns:
    """The rows of all parts, one part after another. The parts have the same columns."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class Groups:
    """The rows of one scope by member. Within a group the rows keep their order.

    `column` holds the member of a row; it is None where all rows are one group. `member` has the member of each group, `of_row`
    that of each row. `bounds` has the place where each group begins in `order`, and where the last one ends.
    """

    column: str | None
    member: Integers
    bounds: Integers
    of_row: npt.NDArray[Any]

    @cached_property
    def order(self) -> Integers:
        """The numbers of the rows, group after group."""
        return np.arange(len(self.of_row)) if self.column is None else group_order(self.of_row)


def grouped(rows: Columns, column: str | None, member: Integers | None = None) -> Groups:
    """Rows by member: one group for each of the given members, else for each member that has a row."""
    if column is None:
        count = len(next(iter(rows.values())))
        return Groups(None, np.zeros(1, np.int64), np.array([0, count]), np.zeros(count, np.uint16))
    n = np.bincount(rows[column], minlength=0 if member is None or len(member) == 0 else int(member.max()) + 1)
    member = np.flatnonzero(n) if member is None else member
    return Groups(column, member, edges_of(n[member]), rows[column])


def by_scope(rows: Columns) -> list[Groups]:
    """The groups of every scope. `all` is there even without rows; the other scopes have the members with rows."""
    return [grouped(rows, column) for column in SCOPES]


def in_parallel(tasks: Iterable[Callable[[], Result]]) -> list[Result]:
    """The results of the tasks, in their order.

    Two tasks run at a time while later ones are still being made: numpy releases the interpreter lock while it works on columns.
    """
    keep_freed_columns()
    with ThreadPoolExecutor(2) as pool:
        return [started.result() for started in [pool.submit(task) for task in tasks]]


def edges_of(n: Integers) -> Integers:
    """The bounds of consecutive groups of these sizes: where each begins, and where the last one ends."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(n)))


def order_of(values: Integers, *then: Integers) -> Integers:
    """The order that sorts the values, equal ones by `then`. Where few are equal it takes a fifth of the time of a sort by all."""
    order = np.argsort(values)
    ordered = values[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(same):
        tied = np.union1d(same, same + 1)
        order[tied] = order[tied][np.lexsort((*(each[order[tied]] for each in reversed(then)), ordered[tied]))]
    return order


def group_order(group: npt.NDArray[Any]) -> Integers:
    """The stable order that puts the rows of each group together. Numbers below 65,536 are sorted by radix, which is much faster."""
    largest = group.max(initial=0)
    if largest == 0:
        return np.arange(len(group))
    return np.argsort(group.astype(np.uint16) if largest < 65_536 else group, kind="stable")
