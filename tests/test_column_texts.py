"""What a column means is written once: `like` takes it over from another table, and a wrong `like` is said before a run."""

from __future__ import annotations

import pytest

from mttr_pipeline.errors import ContractError
from mttr_pipeline.warehouse.catalog import default_catalog, with_texts
from mttr_pipeline.warehouse.models import Model, parse_model

SUMS = parse_model(
    '/*\ndescription = "d"\nnot_null = ["n"]\n[assert]\ncounted = "n >= 0"\n[columns]\nn = "rows"\ntotal = "their sum"\n*/ SELECT 1',
    "core",
    "sums",
)


def model(name: str, header: str) -> Model:
    return parse_model(f'/*\ndescription = "d"\n{header}*/ SELECT 1', "core", name)


def test_a_column_takes_over_its_text() -> None:
    """In the order of its own header, with its own texts beside; what the other table promises is not promised here."""
    (found,) = with_texts([model("shares", 'like = "core.sums"\n[columns]\nshare = "its part"\nn = "="\n')], [SUMS])
    assert list(found.columns.items()) == [("share", "its part"), ("n", "rows")]
    assert (found.not_null, found.asserts) == ((), {})


def test_without_columns_a_table_has_those_of_the_other() -> None:
    """All of them with their texts, and the promises that hold for every row; keys differ, so they are the table's own."""
    (found,) = with_texts([model("part", 'like = "core.sums"\nunique = [["n"]]\n')], [SUMS])
    assert (found.columns, found.not_null, found.asserts) == (SUMS.columns, ("n",), {"counted": "n >= 0"})
    assert found.unique == (("n",),)


def test_another_stream_of_the_same_records_repeats_no_select() -> None:
    """A raw table selects what the other one does, over its own stream. Elsewhere that would be the same table twice."""
    issues = parse_model(
        '/*\ndescription = "d"\n[columns]\nn = "rows"\n*/ SELECT n FROM landed({n: \'VARCHAR\'})', "raw", "issues"
    )
    actions = parse_model('/*\ndescription = "d"\nlike = "raw.issues"\n*/', "raw", "actions")
    found, _ = with_texts([actions, issues])
    assert (found.sql, found.columns, found.stream) == (issues.sql, issues.columns, "actions")
    with pytest.raises(ContractError, match="has no SELECT"):
        parse_model('/*\ndescription = "d"\nlike = "core.sums"\n*/', "core", "again")


def test_texts_are_handed_on() -> None:
    """A table may be like one that is like another, in whatever order the files are read."""
    last = model("last", 'like = "core.middle"\n[columns]\nn = "="\n')
    middle = model("middle", 'like = "core.sums"\n[columns]\nn = "="\n')
    found = with_texts([last, middle, SUMS])
    assert [table.name for table in found] == ["last", "middle", "sums"]
    assert found[0].columns == found[1].columns == {"n": "rows"}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ('like = "core.nowhere"\n', r"sql/core/wrong\.sql is like core\.nowhere, which no file makes"),
        ('like = "core.sums"\n[columns]\nmean = "="\n', r"core\.sums does not have: mean"),
        ('like = "core.wrong"\n', r"in a circle: core\.wrong -> core\.wrong"),
    ],
)
def test_a_wrong_like_is_an_error_that_names_the_file(header: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        with_texts([model("wrong", header)], [SUMS])


def test_a_text_left_out_needs_a_table_to_take_it_from() -> None:
    with pytest.raises(ContractError, match=r"sql/core/wrong\.sql: these columns .* `like` names none: n\."):
        model("wrong", '[columns]\nn = "="\n')


def test_no_published_column_is_left_without_its_text() -> None:
    """Readers get the texts as comments: a sign that stands for a text must not reach them."""
    assert [
        (table.table, name) for table in default_catalog() for name, text in table.columns.items() if text == "="
    ] == []
