"""Where the files are that the package brings along. What does not belong here: what users choose (`settings`)."""

from __future__ import annotations

from pathlib import Path


def sql_folder() -> Path:
    """The `sql/` tree: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "sql"
    return inside if inside.is_dir() else package.parent / "sql"
