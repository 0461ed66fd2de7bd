"""What the working database holds of a source, as an audit asks for it: counts and ids by creation.

What belongs here: reading. What does not: which windows are compared and what follows from a difference.
"""

from __future__ import annotations

import threading

from mttr_pipeline.landing.store import TOMBSTONES
from mttr_pipeline.sources.kit.windows import Window
from mttr_pipeline.warehouse.database import Warehouse


class WarehouseRecords:
    """The raw tables of one source, deleted records left out. The warehouse must have loaded every complete extract."""

    def __init__(self, warehouse: Warehouse, source: str) -> None:
        self._con = warehouse.con
        self._source = source
        self._lock = threading.Lock()  # one connection, many threads of a source

    def count(self, stream: str, window: Window) -> int:
        """How many records were created in the window."""
        return int(str(self._ask("count(*)", stream, window)[0][0]))

    def ids(self, stream: str, window: Window) -> set[str]:
        """Their ids."""
        return {str(row[0]) for row in self._ask("r.external_id", stream, window)}

    def groups(self, stream: str, column: str, window: Window) -> dict[str, str]:
        """The value of a column of the raw table, by id; records without one are left out."""
        found = self._ask(f'r.external_id, r."{column}"', stream, window)
        return {str(name): str(value) for name, value in found if value is not None}

    def rejected(self, stream: str) -> set[str]:
        """Ids of records in quarantine."""
        with self._lock:
            found = self._con.execute(
                "SELECT external_id FROM ops.quarantine WHERE source = ? AND stream = ? AND external_id IS NOT NULL",
                [self._source, stream],
            ).fetchall()
        return {str(row[0]) for row in found}

    def _ask(self, what: str, stream: str, window: Window) -> list[tuple[object, ...]]:
        query = f"""SELECT {what} FROM raw.{self._source}_{stream} AS r
            LEFT JOIN raw.{self._source}_{TOMBSTONES} AS t ON t.external_id = r.external_id AND t.of_stream = ?
            WHERE r.created_at >= ? AND r.created_at < ? AND t.external_id IS NULL"""
        since, until = (instant.replace(tzinfo=None) for instant in (window.since, window.until))
        with self._lock:
            return self._con.execute(query, [stream, since, until]).fetchall()
