"""docs/operations.md is the page for four in the morning: what can be said to a person stands on it. All of it is collected from the
code; a list here would go stale with the page. The conditions are in test_alerts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support_e2e import REPOSITORY
from test_dagster import definitions

from mttr_pipeline import alerts, errors, interrupts, told
from mttr_pipeline.alerts import mail, messages, places, posting
from mttr_pipeline.cli import exits
from mttr_pipeline.errors import MttrError
from mttr_pipeline.serve import app, entrance
from mttr_pipeline.warehouse.catalog import default_catalog

PAGE = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
TEXT = re.sub(r"\s+", " ", PAGE)


def tree(module: object) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))  # type: ignore[attr-defined]


def calls(module: object, *names: str) -> Iterator[ast.Call]:
    """Every call of these functions or classes in a module."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


def phrases(node: ast.AST) -> Iterator[str]:
    """What a sentence in the code says: its parts of three words and more, without what is filled in."""
    for found in ast.walk(node):
        if isinstance(found, ast.Constant) and isinstance(found.value, str):
            yield from (part.strip() for part in re.split(r"[:;().,]", found.value) if part.strip().count(" ") >= 2)


def section(title: str) -> str:
    (found,) = re.findall(rf"(?ms)^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE)
    return str(found)


def rows_of(title: str) -> dict[str, str]:
    """First column -> the rest, of the table of a section."""
    found: dict[str, str] = {}
    for line in section(title).splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            first, _, rest = line[2:].partition(" | ")
            found[first] = found.get(first, "") + rest
    return found


def test_every_kind_of_message_is_explained() -> None:
    """Alerts, the digest and the test message; a receiver finds the same words in `kind`."""
    kinds = {str(call.args[0].value) for call in calls(messages, "Message") if isinstance(call.args[0], ast.Constant)}
    assert kinds == {"alerts", "digest", "test"}
    assert all(re.search(rf"`kind` is[^.]*`{kind}`", TEXT) for kind in kinds)
    assert all(line in TEXT for line in messages.TEST.lines) and "### The weekly digest" in PAGE
    assert all(f"### `{name}`" in PAGE for name in alerts.CONDITIONS)


@pytest.mark.parametrize("module", [posting, mail, places, told], ids=lambda module: module.__name__.split(".")[-1])
def test_every_reason_why_nobody_was_told_is_explained(module: object) -> None:
    """Whatever a place or the file of what was told does: the sentence that the run says is on the page."""
    functions = [node for node in ast.walk(tree(module)) if isinstance(node, ast.FunctionDef)]
    raising = [node for node in functions if re.search(r"Error\(|_reason|did not answer", ast.unparse(node))]
    hints = re.compile(
        r"^(and the network|and run again|if that goes on|check `|check the|or set|// or|took too|so what|free the|or delete)"
    )
    said = {p for node in raising for line in node.body[bool(ast.get_docstring(node)) :] for p in phrases(line)}
    assert len(said) > 1
    assert sorted(p for p in said if not hints.match(p) and p not in TEXT) == []


def test_every_exit_code_and_kind_of_error_is_explained() -> None:
    told_of = rows_of("Exit codes and errors")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MttrError)]
    for kind in kinds:
        assert kind is MttrError or f"`{kind.__name__}`" in told_of[str(kind.exit_code)], kind
    own = {str(code) for code in (exits.DONE, exits.FAILED, exits.PARTLY)}
    ended = {str(128 + number) for number in interrupts.NAMES}
    assert {code for cell in told_of for code in cell.split(", ")} - {"code"} == own | {"2"} | ended


def test_everything_that_the_server_refuses_is_explained() -> None:
    """By the code of the answer, each with its sentences."""
    told_of = rows_of("What `mttr serve` refuses")
    answers = list(calls(app, "Refused", "JSONResponse"))
    seen = set()
    for call in answers:
        codes = [str(arg.value) for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, int)]
        for code in codes:
            seen.add(code)
            said = [p for arg in call.args for p in phrases(arg) if not p.startswith("send it")]
            assert [p for p in said if p not in told_of[code]] == []
    assert seen == told_of.keys() - {"answer", "405"}, "405 is Starlette's own"
    (why,) = [node for node in tree(entrance).body if isinstance(node, ast.FunctionDef) and node.name == "stranger"]
    reasons = [p for line in why.body[1:] for p in phrases(line) if not p.startswith("where ")]
    assert len(reasons) == 2 and [p for p in reasons if p not in told_of["401"]] == []


def test_everything_that_dagster_shows_by_itself_is_explained() -> None:
    """Checks that are no promise of a table, jobs, sensors and schedules: what they mean when they are yellow or red."""
    defs = definitions()
    promised = {(model.table, name) for model in default_catalog() for name in model.promises()}
    keys = defs.resolve_asset_graph().asset_check_keys
    own = {key.name for key in keys if (".".join(key.asset_key.path), key.name) not in promised}
    repository = defs.get_repository_def()
    names = own | {sensor.name for sensor in repository.sensor_defs} | {one.name for one in repository.schedule_defs}
    names |= {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert {"fresh", "taken", "reached", "failed_run", "daily", "backfill"} <= names
    assert sorted(name for name in names if f"`{re.sub('SEV[1-4]', 'SEV1', name)}`" not in PAGE) == []
