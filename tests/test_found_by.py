"""Patterns of settings are written into a macro of the run. It must find what the pattern itself finds, whatever stands in it, and
also for a pattern that is not among them: a table of an earlier run may have one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from support import open_warehouse

CONFIGURED = ("it's (now|never)", r"state\s+([a-z' ]+?)\s*$")
OTHER = "was (open)"
TEXTS = ("it's now, it's never", "the state don't know ", "was open, was open", "nothing", "", None)


def test_what_is_found_is_what_the_pattern_finds(tmp_path: Path) -> None:
    """A quote in a pattern ends no text, several groups found stay in order, and NULL stays NULL."""
    configured = {"sources": {"slack": {"tools": {"Bot": list(CONFIGURED)}}}}
    with closing(open_warehouse(tmp_path, configured)) as warehouse:
        found = warehouse.con.execute(
            "SELECT word, pattern, found_by(word, pattern), regexp_extract_all(word, pattern, 1) "
            "FROM (SELECT unnest(?) AS word) CROSS JOIN (SELECT unnest(?) AS pattern)",
            [list(TEXTS), [*CONFIGURED, OTHER]],
        ).fetchall()
        (written,) = warehouse.con.execute(
            "SELECT macro_definition FROM duckdb_functions() WHERE function_name = 'found_by' AND database_name = 'temp'"
        ).fetchall()
    assert [row[2] for row in found] == [row[3] for row in found]
    assert {(row[0], tuple(row[2])) for row in found if row[2]} == {
        ("it's now, it's never", ("now", "never")),
        ("the state don't know ", ("don't know",)),
        ("was open, was open", ("open", "open")),
    }
    assert all(pattern.replace("'", "''") in written[0] for pattern in CONFIGURED)
