"""What readers see of texts: no e-mail address in any of them, and no credential of this run in free ones.

What does not belong here: how an address or a credential is found (the macros without_addresses and without_secrets), and
pseudonyms (`people`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb

from mttr_pipeline.warehouse.models import Model

if TYPE_CHECKING:
    from mttr_pipeline.warehouse.catalog import Catalog

_CLEAN = ("core.names", "core.people")  # they change their texts themselves, and what they were is used to join
_TEXTS_OF_OTHERS = re.compile(r"\bops\.|\bconfig\.definitions\b")

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


def brings_texts(catalog: Catalog, model: Model) -> bool:
    """Whether texts of others come in with a table: it reads payloads, the ledger or the configuration, itself or through tables
    that readers do not get. What is made of published tables alone has only texts that were looked at there."""
    if model.table in _CLEAN:
        return False
    if model.schema in ("raw", "staging") or _TEXTS_OF_OTHERS.search(model.sql):
        return True
    inner = (catalog[name] for name in model.depends)
    return any(brings_texts(catalog, one) for one in inner if not one.published)


def for_readers(con: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The SELECT `sql` with the texts of its rows as readers may see them: the one place where they are changed.

    Ids stay as they are: rows are joined by them. Names of services and teams have no address any more, see core.names.
    """
    texts = [
        (name, kind)
        for name, kind, *_ in con.execute(f"DESCRIBE {sql}").fetchall()
        if kind in ("VARCHAR", "VARCHAR[]") and name not in _CODES and not name.endswith(("_id", "_provenance", "_of"))
    ]
    # One inside the other, and not in one expression: macros repeat what they are given.
    for macro, columns in (("without_secrets", _FREE), ("without_addresses", None)):
        changed = [_looked_at(macro, *text) for text in texts if columns is None or text[0] in columns]
        sql = f"SELECT * REPLACE ({', '.join(changed)}) FROM ({sql}\n)" if changed else sql
    return sql


def _looked_at(macro: str, name: str, kind: str) -> str:
    if kind == "VARCHAR":
        return f'{macro}("{name}") AS "{name}"'
    together = (
        f"array_to_string(\"{name}\", ' ')"  # a look at all elements together is thirty times faster than at each
    )
    each = f'list_transform("{name}", lambda one: {macro}(one))'
    return f'CASE WHEN {macro}({together}) <> {together} THEN {each} ELSE "{name}" END AS "{name}"'
