"""The sentences that the report page can print, read from its sources: templates, Python and SQL.

A value that is filled in stands as `…`. What has fewer than four words, no full stop and no semicolon is a label, not a sentence.

    python tests/sentences.py        prints them by source
"""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "mttr_pipeline" / "reports" / "page"
#: SQL whose texts stand on the page: findings, the light, advice, why there is no direction.
SQL = (
    "figures/findings_*.sql",
    "figures/bottlenecks.sql",
    "mart/data_quality*.sql",
    "mart/directions.sql",
    "mart/strategies.sql",
)
SHORTEST = 4
_HOLE = "…"


@cache
def sentences() -> dict[str, list[str]]:
    """Source file -> its sentences, in their order, each once."""
    found: dict[str, list[str]] = {}
    sources = dict.fromkeys((PAGE / "templates").glob("*.j2"), _of_template)
    sources |= dict.fromkeys(PAGE.glob("*.py"), _of_python)
    sources |= dict.fromkeys((REPOSITORY / "mttr_pipeline" / "sources").rglob("*.py"), _of_declarations)
    sources |= {path: _of_sql for pattern in SQL for path in (REPOSITORY / "sql").glob(pattern)}
    for path, texts_of in sorted(sources.items()):
        texts = texts_of(path.read_text(encoding="utf-8"))
        if printed := list(dict.fromkeys(sentence for text in texts for sentence in split(text))):
            found[path.relative_to(REPOSITORY).as_posix()] = printed
    return found


def split(text: str) -> Iterator[str]:
    """The sentences of a text, in one form: no markup, one blank between words, `…` for what is filled in."""
    text = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", text)  # the text of a picture
    plain = re.sub(r"<(?:/?(?:strong|em|a|code|small|bdi|span|data|time|b)\b[^>]*)>", "", text)
    for block in re.split(r"<[^>]*>|\n\s*\n", plain):
        for part in re.split(r"(?<=[.!?])\s+(?=[A-Z…])", " ".join(html.unescape(block).split())):
            sentence = re.sub(rf"{_HOLE}(?:\s*{_HOLE})+", _HOLE, part).strip(" .,;:-")
            sentence = re.sub(rf"(?<=[\w.]){_HOLE}$", "", sentence).strip(" .,;:-")
            words = len(re.findall(r"(?<![^\s(])[^\w\s]*[A-Za-z0-9]", sentence))
            if words >= SHORTEST or (words >= 2 and (part.rstrip().endswith(".") or ";" in part)):
                yield sentence


def _of_template(text: str) -> Iterator[str]:
    """The text between the tags, and the texts inside them."""
    body = re.sub(r"\{#.*?#\}|<(style|script)\b.*?</\1>|<meta\b[^>]*>|<link\b[^>]*>", "", text, flags=re.S)
    for tag in re.findall(r"\{[{%].*?[%}]\}", body, flags=re.S):
        yield from _joined(tag)
    flat = re.sub(r"\{%.*?%\}", "\n\n" if "\n" in body else " ", body, flags=re.S)
    yield re.sub(r"\{\{.*?\}\}", _HOLE, flat, flags=re.S)


def _joined(tag: str) -> Iterator[str]:
    """The string constants of a tag; those that `~` joins are one text. The words of a filter are part of what it fills in."""
    tag = re.sub(r"\|\s*\w+\([^()]*\)", "", tag.strip("{}%"))
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


def _of_declarations(text: str) -> Iterator[str]:
    """The findings that a source declares for what its pulls report."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
            yield from (each.value for each in node.args if isinstance(each, ast.Constant))


def _of_sql(text: str) -> Iterator[str]:
    """The string constants of the SELECT; the header describes, it prints nothing."""
    comment = r"--[^\n]*|/\*.*?\*/"
    select = re.sub(rf"('(?:[^']|'')*')|{comment}", lambda match: match[1] or "", text, flags=re.S)
    # A CASE within a text is filled in; what it may say stands for itself.
    inner = re.compile(r"\|\|\s*CASE\b((?:(?!\bCASE\b).)*?)\bEND\b", re.S)
    while case := inner.search(select):
        yield from _constants(case[1])
        select = f"{select[: case.start()]}|| filled {select[case.end() :]}"
    yield from _constants(select)


def _constants(code: str) -> Iterator[str]:
    """The string constants of SQL code; those that `||` joins are one text."""
    *pieces, last = re.split(r"'((?:[^']|'')*)'", code)
    text = ""
    for before, constant in zip(pieces[::2], pieces[1::2], strict=True):
        if text and not re.fullmatch(r"\s*\|\|(?:[^,;]*\|\|)?\s*", before):
            yield text
            text = ""
        filled = before.count("||") > 1 if text else before.rstrip().endswith("||")
        text += (_HOLE if filled else "") + constant.replace("''", "'")
    yield text + (_HOLE if last.lstrip().startswith("||") else "")


if __name__ == "__main__":
    for name, printed in sentences().items():
        print(f"## {name}")
        print("\n".join(f"- {sentence}" for sentence in printed))
