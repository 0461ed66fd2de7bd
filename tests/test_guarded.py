"""What Dagster is told of failures that nobody foresaw: kind and place, but no secret and no address of a person."""

from __future__ import annotations

import ast
import json
import sys
import traceback
from collections.abc import Iterator

import dagster as dg
import duckdb
import pytest
import requests
from dagster._serdes import serialize_value
from support_e2e import REPOSITORY

from mttr_pipeline.defs.guarded import guarded
from mttr_pipeline.defs.resources import explained
from mttr_pipeline.errors import ContractError, TransientError, cleaned
from mttr_pipeline.hidden import _remembered, remember

sys.path.insert(0, str(REPOSITORY / "promises"))

from canaries import PEOPLE, SECRET, SPELLINGS, leaks

#: `line breaks` and `tags` are those of a body; an exception's text has them too.
TEXTS = [spell(SECRET) for spell in SPELLINGS.values()]


class Odd(Exception):
    """A failure that is made of three things, and prints them."""

    def __init__(self, url: str, body: str, status: int) -> None:
        self.url, self.body, self.status = url, body, status

    def __str__(self) -> str:
        return f"{self.status} of {self.url}: {self.body}"


class Refusing(Exception):
    """One that cannot be made again."""

    def __new__(cls, text: str) -> Refusing:
        return super().__new__(cls, text)


@pytest.fixture
def known() -> Iterator[None]:
    """The secret is one of this process."""
    before = set(_remembered)
    remember(SECRET)
    yield
    _remembered.intersection_update(before)


def failing(text: str) -> None:
    """Every kind of failure, one led to by the other, with the text everywhere."""
    try:
        try:
            try:
                raise requests.ConnectionError(f"HTTPConnectionPool: Max retries exceeded with url: /x?token={text}")
            except requests.ConnectionError as error:
                raise TransientError("the vendor did not answer") from error
        except TransientError:
            raise Odd(f"https://u:{text}@host.example/", f"{text} {PEOPLE['address']}", 500)  # noqa: B904
    except Odd as error:
        failure = duckdb.IOException(f"IO Error: {text} of {PEOPLE['address']}")
        failure.add_note(f"while making core.{text}")
        raise failure from error


@pytest.mark.parametrize("text", TEXTS, ids=SPELLINGS)
def test_no_spelling_is_left_anywhere_in_a_chain(known: None, text: str) -> None:
    """Texts, notes, causes and contexts; what may be caught, and where it was raised, stays."""
    with pytest.raises(duckdb.IOException) as raised:
        failing(text)
    new = cleaned(raised.value)
    shown = "".join(traceback.format_exception(new))
    assert list(leaks(iter([("traceback", shown)]))) == []
    assert isinstance(new, duckdb.IOException) and isinstance(new.__cause__, Odd)
    assert isinstance(new.__cause__.__context__, TransientError)
    assert (
        "in failing" in shown and "while making core." in shown and "500 of https://" in shown and "<e-mail>" in shown
    )


@pytest.mark.parametrize(
    "error",
    [
        KeyError(SECRET),
        OSError(2, "No such file", f"/tmp/{SECRET}"),
        UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
        ExceptionGroup(SECRET, [ValueError(SECRET)]),
        Refusing(SECRET),
        SyntaxError(SECRET, ("f", 1, 1, SECRET)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_kinds_that_print_themselves_are_cleaned_too(known: None, error: Exception) -> None:
    shown = "".join(traceback.format_exception(cleaned(error)))
    assert "[hidden]" in shown and type(error).__name__ in shown and SECRET[:8] not in shown


def test_nothing_of_it_is_in_the_records_of_dagster(known: None, capfd: pytest.CaptureFixture[str]) -> None:
    """A real run: a function and a generator that fail, a sentence of ours whose cause holds the secret, and a second try."""
    text = " ".join(TEXTS)

    @dg.asset
    @guarded
    def unforeseen() -> None:
        failing(text)

    @dg.multi_asset(specs=[dg.AssetSpec("made"), dg.AssetSpec("not_made")])
    @guarded
    def half() -> Iterator[dg.MaterializeResult]:
        yield dg.MaterializeResult(asset_key="made")
        failing(text)

    @dg.asset
    @guarded
    def foreseen() -> None:
        try:
            failing(text)
        except duckdb.Error as error:
            try:
                raise ContractError("The landing zone is damaged.") from error
            except ContractError as sentence:
                raise explained(sentence) from sentence

    @dg.asset
    @guarded
    def tried_again() -> None:
        try:
            failing(text)
        except duckdb.Error as error:
            raise dg.RetryRequested(1) from error

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([unforeseen, half, foreseen, tried_again], instance=instance, raise_on_error=False)
        records = [serialize_value(event) for event in instance.all_logs(result.run_id)]
    failed = {event.step_key: event.step_failure_data for event in result.all_events if event.is_step_failure}
    assert failed.keys() == {"unforeseen", "half", "foreseen", "tried_again"}
    assert [event.step_key for event in result.all_events if event.is_step_up_for_retry] == ["tried_again"]
    cause = failed["unforeseen"].error.cause
    assert cause.cls_name == "IOException" and any("in failing" in line for line in cause.stack)
    assert failed["foreseen"].user_failure_data.description == "The landing zone is damaged."
    printed = capfd.readouterr()
    texts = [("records", json.loads(json.dumps(record))) for record in records]
    assert sum("in failing" in record for record in records) >= 3, "the records must hold the failures"
    assert list(leaks(iter([*texts, ("output", printed.out + printed.err)]))) == []


def test_every_function_that_dagster_calls_is_guarded() -> None:
    """A new asset or check must not be the one that shows everything."""
    kinds = {"asset", "multi_asset", "asset_check", "multi_asset_check", "op", "sensor", "run_failure_sensor"}
    found = 0
    for path in (REPOSITORY / "mttr_pipeline" / "defs").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            names = [
                ast.unparse(d.func if isinstance(d, ast.Call) else d).removeprefix("dg.") for d in node.decorator_list
            ]
            if kinds.intersection(names) or node.name == "yield_for_execution":
                found += 1
                assert names[-1] == "guarded", f"{path.name}: {node.name}"
    assert found >= 10
