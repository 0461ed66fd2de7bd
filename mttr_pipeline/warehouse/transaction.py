"""Changes of the working database that are made whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Keep what is written inside, or nothing of it when anything ends it, an interrupt too. The connection can be used again.

    Raises what ended it.
    """
    try:
        con.execute("BEGIN")
        yield
        con.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):  # it did not begin, or a commit that failed has ended it
            con.execute("ROLLBACK")
        raise
