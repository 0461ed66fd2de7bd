"""docs/claims.md: every sentence that the report page can print, when it prints it, and the tests that hold it to that."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from sentences import REPOSITORY, sentences, split

PAGE = (REPOSITORY / "docs" / "claims.md").read_text(encoding="utf-8")


@cache
def claims() -> dict[str, list[list[str]]]:
    """Source file -> the rows of its table: sentence, condition, tests."""
    found: dict[str, list[list[str]]] = {}
    for name, body in re.findall(r"(?ms)^## `([^`]+)`\n(.*?)(?=^## |\Z)", PAGE):
        rows = [line.strip("|").split(" | ") for line in body.splitlines() if line.startswith("| ")]
        found[name] = [[cell.strip() for cell in row] for row in rows if row[0].strip() not in ("sentence", "---")]
    return found


@cache
def defined(path: str) -> frozenset[str]:
    """The test functions of a file."""
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("name", sorted(sentences().keys() | claims().keys()))
def test_every_sentence_has_a_condition(name: str) -> None:
    """A sentence without a condition is printed whether it is true or not; a row without its sentence hides that."""
    listed = [sentence.replace("\\|", "|") for sentence, *_ in claims().get(name, [])]
    assert sorted(listed) == sorted(sentences().get(name, []))


def test_every_claim_names_tests_that_exist() -> None:
    """A test that was renamed or dropped leaves its sentences unproven."""
    for rows in claims().values():
        for sentence, condition, tests in rows:
            assert condition, sentence
            named = re.findall(r"`(\w+)\.py::(\w+)`", tests)
            assert named, f"no test shows: {sentence}"
            for file, function in named:
                assert function in defined(f"tests/{file}.py"), f"{file}.py has no {function}: {sentence}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<p>The first sentence is here. A <strong>second</strong> one follows it.</p>", 2),
        ("<p>Half of … were resolved within …</p>", 1),
        ("not a sentence", 0),
    ],
)
def test_sentences_are_found(text: str, found: int) -> None:
    """The tests above hold nothing if the sentences are not seen."""
    assert len(list(split(text))) == found
