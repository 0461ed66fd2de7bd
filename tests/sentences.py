"""The sentences that the report page can print, read from its sources: templates, Python and SQL.

A value that is filled in stands as `…`. What has fewer than four words is a label, not a sentence.

    python tests/sentences.py        prints them by source
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "mttr_pipeline" / "reports" / "page"
#: SQL whose texts stand on the page: findings, the light, advice.
SQL = ("figures/findings_*.sql", "mart/data_quality*.sql", "mart/recommendations.sql", "mart/strategies.sql")
SHORTEST = 4
_HOLE = "…"


def sentences() -> dict[str, list[str]]:
    """Source file -> its sentences, in their order, each once."""
    found: dict[str, list[str]] = {}
    for path in [*sorted((PAGE / "templates").glob("*.j2")), *sorted(PAGE.glob("*.py")), *_sql_files()]:
        texts = {".j2": _of_template, ".py": _of_python, ".sql": _of_sql}[path.suffix](path.read_text(encoding="utf-8"))
        if printed := list(dict.fromkeys(sentence for text in texts for sentence in split(text))):
            found[path.relative_to(REPOSITORY).as_posix()] = printed
    return found


def split(text: str) -> Iterator[str]:
    """The sentences of a text, in one form: no markup, one blank between words, `…` for what is filled in."""
    plain = re.sub(r"<(?:/?(?:strong|em|a|code|small|bdi|span|data|time|b)\b[^>]*)>", "", text)
    for block in re.split(r"<[^>]*>|\n\s*\n", plain):
        for part in re.split(r"(?<=[.!?:])\s+(?=[A-Z…])", " ".join(block.split())):
            sentence = re.sub(rf"{_HOLE}(?:\s*{_HOLE})+", _HOLE, part).strip(f" {_HOLE}.,;:()=-")
            if len(re.findall(r"(?<!\S)[^\w\s]*[A-Za-z][^\s]+", sentence)) >= SHORTEST:
                yield sentence


def _sql_files() -> list[Path]:
    return sorted(path for pattern in SQL for path in (REPOSITORY / "sql").glob(pattern))


def _of_template(text: str) -> Iterator[str]:
    """The text between the tags, and the texts inside them."""
    body = re.sub(r"\{#.*?#\}|<(style|script)\b.*?</\1>|<meta\b[^>]*>|<link\b[^>]*>", "", text, flags=re.S)
    for tag in re.findall(r"\{[{%].*?[%}]\}", body, flags=re.S):
        yield from _joined(tag)
    flat = re.sub(r"\{%.*?%\}", "\n\n" if "\n" in body else " ", body, flags=re.S)
    yield re.sub(r"\{\{.*?\}\}", _HOLE, flat, flags=re.S)


def _joined(tag: str) -> Iterator[str]:
    """The string constants of a tag; those that `~` joins are one text."""
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', tag)
    text = ""
    for code, constant in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        if text and not re.fullmatch(r"\s*~[^,]*~\s*", code):
            yield text
            text = ""
        text += (_HOLE if text else "") + constant[1:-1]
    yield text


def _of_python(text: str) -> Iterator[str]:
    """Every string constant but docstrings."""
    tree = ast.parse(text)
    docstrings = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
    }
    inside = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else _HOLE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings | inside:
            yield re.sub(r"\{[^{}]*\}", _HOLE, node.value)


def _of_sql(text: str) -> Iterator[str]:
    """The string constants of the SELECT; the header describes, it prints nothing."""
    comment = r"--[^\n]*|/\*.*?\*/"
    select = re.sub(rf"('(?:[^']|'')*')|{comment}", lambda match: match[1] or "", text, flags=re.S)
    *pieces, _ = re.split(r"'((?:[^']|'')*)'", select)
    text = ""
    for code, constant in zip(pieces[::2], pieces[1::2], strict=True):
        if text and not re.fullmatch(r"\s*\|\|(?:[^,;]*\|\|)?\s*", code):
            yield text
            text = ""
        text += (_HOLE if text and code.count("||") > 1 else "") + constant.replace("''", "'")
    yield text


if __name__ == "__main__":
    for name, printed in sentences().items():
        print(f"## {name}")
        print("\n".join(f"- {sentence}" for sentence in printed))
