"""What readers see of texts: no e-mail address in any of them, and no credential of this run in free ones.

What does not belong here: how an address or a credential is found (the macros without_addresses and without_secrets), and
pseudonyms (`people`).
"""

from __future__ import annotations

import duckdb

# fmt: off
#: Columns with words of our own, where no address can stand.
_CODES = frozenset({
    "source", "kind", "role", "status", "severity", "severity_first", "severity_max", "severity_source", "event_type", "actor_kind",
    "provenance", "resolution_kind", "link_reason", "scope", "calculation_type", "phase_model", "phase", "population", "interval",
    "alignment", "dq_check", "light", "definition_hash", "run_id",
})
#: Columns with free text, and with what is quoted of it.
_FREE = frozenset({
    "title", "other_title", "notes", "reason", "raw_reference", "error", "examples", "url", "headline", "tags",
})
# fmt: on


def for_readers(con: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The SELECT `sql` with the texts of its rows as readers may see them: the one place where they are changed.

    Ids stay as they are: rows are joined by them. Names of services and teams have no address any more, see core.names.
    """
    changed = []
    for name, kind, *_ in con.execute(f"DESCRIBE {sql}").fetchall():
        shown = "without_addresses(without_secrets({}))" if name in _FREE else "without_addresses({})"
        if kind == "VARCHAR" and name not in _CODES and not name.endswith(("_id", "_provenance")):
            changed.append(f'{shown.format(chr(34) + name + chr(34))} AS "{name}"')
        elif kind == "VARCHAR[]":  # a look at all elements together is thirty times faster than at each
            together = f"array_to_string(\"{name}\", ' ')"
            changed.append(
                f"CASE WHEN {shown.format(together)} <> {together} "
                f'THEN list_transform("{name}", lambda one: {shown.format("one")}) ELSE "{name}" END AS "{name}"'
            )
    return f"SELECT * REPLACE ({', '.join(changed)}) FROM ({sql}\n)" if changed else sql
