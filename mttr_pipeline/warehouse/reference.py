"""Documentation written from the SQL headers.

python -m mttr_pipeline.warehouse.reference > docs/tables.md           the published tables
python -m mttr_pipeline.warehouse.reference docs/adding-a-source.md    the gathered tables, into the end of that page
"""

from __future__ import annotations

import sys
from pathlib import Path

from mttr_pipeline.warehouse.catalog import default_catalog, house_models

_HEAD = """# Tables of mttr.duckdb and parquet/

Written from the SQL headers by `python -m mttr_pipeline.warehouse.reference > docs/tables.md`; the same texts are comments in
the database. Instants are TIMESTAMP WITH TIME ZONE in UTC, minutes are DOUBLE, no data is NULL.
"""
#: The line of a page after which everything is written from the headers.
GENERATED = "<!-- From here on: python -m mttr_pipeline.warehouse.reference docs/adding-a-source.md -->\n"


def markdown() -> str:
    """One section per published table: what a row is, its columns, and what is checked before it is published."""
    parts = [_HEAD]
    for model in sorted(default_catalog().published, key=lambda m: m.name):
        parts.append(f"\n## {model.name}\n\n{model.description}\n\n| column | meaning |\n| --- | --- |")
        parts += [f"| {name} | {text.replace('|', '/')} |" for name, text in model.columns.items()]
        parts.append("\nChecked: " + "; ".join(f"`{text}`" for text in model.promises().values()) + ".")
    return "\n".join(parts) + "\n"


def gathered_tables() -> str:
    """One section per gathered table: what a row is, and the columns that a table which yields it has or may have."""
    parts = []
    for model in house_models():
        if not model.gathered:
            continue
        parts.append(
            f"\n### {model.name}\n\n{model.description}\n\n| column | type | needed | meaning |\n| --- | --- | --- | --- |"
        )
        for name, text in model.columns.items():
            needed = "no" if name in model.optional else "never NULL" if name in model.not_null else "yes"
            parts.append(f"| `{name}` | {model.types[name]} | {needed} | {text.replace('|', '/')} |")
    return "\n".join(parts) + "\n"


def update(page: Path) -> None:
    """Write the gathered tables anew into the end of a page."""
    head, mark, _ = page.read_text(encoding="utf-8").partition(GENERATED)
    page.write_text(head + mark + gathered_tables(), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:]:
        update(Path(sys.argv[1]))
    else:
        print(markdown(), end="")
