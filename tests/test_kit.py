"""The kit is what sources in other packages import: its public names are documented, and it depends on no vendor."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mttr_pipeline.sources.kit.commits import headline

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


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("Fix OPS-3\n\nIt was the cache.", "Fix OPS-3"),
        ("Merge pull request #12 from acme/basket\n\nFix OPS-3\n\nWhy", "Merge pull request #12 from acme/basket: Fix OPS-3"),
        ("Merge branch 'basket' into 'main'\r\n\r\nFix OPS-3\r\n", "Merge branch 'basket' into 'main': Fix OPS-3"),
        ("Merge branch 'main'\n\nSigned-off-by: Ana <ana@example.com>", "Merge branch 'main'"),
        ("Merge branch 'main'\n\nAna <ana@example.com> asked for it", "Merge branch 'main'"),
        ("Merge branch 'a' into 'main'\n\nSee merge request acme/shop!7", "Merge branch 'a' into 'main'"),
        ("Merge branch 'main'\n\n# Conflicts:\n#\tbasket.py", "Merge branch 'main'"),
        ("Merge pull request #12 from acme/basket", "Merge pull request #12 from acme/basket"),
        ("Merge the tables\n\nOf both shops", "Merge the tables"),
        ("  \n ", ""),
    ],
)  # fmt: skip
def test_the_title_of_a_merge_names_what_it_repairs(message: str, line: str) -> None:
    """The first line of a merge names a branch only: its request names the incident. Nobody's name or address is taken."""
    assert headline(message) == line


@given(st.text(), st.text())
def test_a_title_is_one_line_of_its_message(first: str, second: str) -> None:
    """Whatever a message holds, also lone surrogates and odd line ends: one line comes of it, of its own words."""
    found = headline(f"{first}\n\n{second}")
    assert len(found.splitlines()) <= 1
    lines = [line.strip() for line in f"{first}\n{second}".splitlines() if line.strip()]
    assert found == (lines[0] if lines else "") or found == f"{lines[0]}: {lines[1]}"
