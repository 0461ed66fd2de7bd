"""The published tables as Markdown, written from the SQL headers: `python -m mttr_pipeline.warehouse.reference`."""

from __future__ import annotations

from mttr_pipeline.warehouse.catalog import default_catalog

_HEAD = """# Tables of mttr.duckdb and parquet/

Written from the SQL headers by `python -m mttr_pipeline.warehouse.reference > docs/tables.md`; the same texts are comments in
the database. Instants are TIMESTAMP WITH TIME ZONE in UTC, minutes are DOUBLE, no data is NULL.
"""


def markdown() -> str:
    """One section per published table: what a row is, its columns, and what is checked before it is published."""
    parts = [_HEAD]
    for model in sorted(default_catalog().published, key=lambda m: m.name):
        parts.append(f"\n## {model.name}\n\n{model.description}\n\n| column | meaning |\n| --- | --- |")
        parts += [f"| {name} | {text.replace('|', '/')} |" for name, text in model.columns.items()]
        parts.append("\nChecked: " + "; ".join(f"`{text}`" for text in model.promises().values()) + ".")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
