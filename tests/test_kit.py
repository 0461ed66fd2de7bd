"""The kit is what sources in other packages import: its public names are documented, and it depends on no vendor."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

KIT = Path(__file__).parents[1] / "mttr_pipeline" / "sources" / "kit"
MODULES = sorted(path.name for path in KIT.glob("*.py"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def undocumented(node: ast.Module | ast.ClassDef, prefix: str = "") -> list[str]:
    """The public classes, functions and methods that have no docstring."""
    found = []
    for part in node.body:
        if isinstance(part, (ast.ClassDef, *FUNCTIONS)) and not part.name.startswith("_"):
            name = f"{prefix}{part.name}"
            found += [] if ast.get_docstring(part) else [name]
            found += undocumented(part, f"{name}.") if isinstance(part, ast.ClassDef) else []
    return found


@pytest.mark.parametrize("module", MODULES)
def test_public_names_have_docstrings(module: str) -> None:
    """A stranger who writes a source reads the kit's names in an editor, not its code."""
    tree = ast.parse((KIT / module).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert undocumented(tree) == []


def test_a_missing_docstring_is_found() -> None:
    """The test above would pass on anything if the search found nothing."""
    code = "class A:\n    def shown(self): ...\n    def _hidden(self): ...\ndef f():\n    '''Text.'''\n"
    assert undocumented(ast.parse(code)) == ["A", "A.shown"]


@pytest.mark.parametrize("module", MODULES)
def test_the_kit_imports_no_source(module: str) -> None:
    """Otherwise a package with one source would load another vendor's code."""
    tree = ast.parse((KIT / module).read_text(encoding="utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    sources = {name for name in imported if name.startswith("mttr_pipeline.sources")}
    assert all(name.startswith("mttr_pipeline.sources.kit") for name in sources), sources
