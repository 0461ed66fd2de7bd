"""The JSON Schemas of the documents: derived from the types, valid for every document, and strict enough to reject a wrong one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from correlation_cases import DAY, HOUR, Link, Rec, correlated
from delivery_worlds import shown
from learned_worlds import shown as learned
from report_cases import ago, errors, incident
from support import AS_OF, AS_OF_US, door
from support_e2e import REPOSITORY, clean_env, finished_run, latest

from mttr_pipeline import reports
from mttr_pipeline.reports import data_quality
from mttr_pipeline.reports.schemas import TYPES, schema

PHASE_TARGETS = {"targets": {"phases": {"acknowledgment": 5}}}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, reports.Document]:
    """The documents of the demo; its empty lists are filled from a history with phase targets, an unreadable record,
    and from two sources that disagree."""
    demo = reports.read(latest(finished_run()))
    history = [
        *(incident(f"a{number}", days=number + 1, minutes=90, acknowledged_at=ago(days=number)) for number in range(9)),
        incident("no zone", days=1, minutes=5) | {"detected_at": (AS_OF - timedelta(days=1)).isoformat()[:19]},
        incident("twin 1", days=9, minutes=40, title="checkout is down"),
        incident("twin 2", days=9, minutes=41, title="checkout is down"),
    ]
    with door(tmp_path_factory.mktemp("samples"), history, configured=PHASE_TARGETS) as warehouse:
        other = reports.documents(warehouse.con)
    page, ticket = (
        Rec(source, "x", {"detected": began, "resolved": began + HOUR})
        for source, began in (("pagerduty", AS_OF_US - DAY), ("opsgenie", AS_OF_US - DAY + HOUR))
    )
    link = Link("opsgenie", "x", "url", "url", page.url)
    with correlated(tmp_path_factory.mktemp("conflicts"), [page, ticket], [link]) as warehouse:
        other["data_quality"]["conflicts"] = data_quality.document(warehouse.con)["conflicts"]
    other["delivery"] = shown("delivery").documents["delivery"]
    other |= {name: learned("everything").documents[name] for name in ("errors", "learning")}
    return {
        name: {key: value if value != [] else other[name][key] for key, value in document.items()}
        for name, document in demo.items()
    }


@pytest.mark.parametrize("name", reports.DOCUMENTS)
def test_documents_are_valid(name: str, samples: dict[str, reports.Document]) -> None:
    """Every list has a row, so that every type is checked against real values."""
    assert [key for key, value in samples[name].items() if value == []] == []
    assert errors(name, samples[name]) == []


def shortened(node: Any) -> Any:
    """A copy with one element in every list."""
    if isinstance(node, dict):
        return {key: shortened(value) for key, value in node.items()}
    return [shortened(node[0])] if isinstance(node, list) and node else node


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in a document."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


@pytest.mark.parametrize("name", reports.DOCUMENTS)
def test_a_wrong_document_is_rejected(name: str, samples: dict[str, reports.Document]) -> None:
    """In every object: a missing key, an additional key, and a value of the wrong type for every key."""
    document = shortened(samples[name])
    damaged = 0
    for node in list(objects(document)):
        good = dict(node)
        for key, value in good.items():
            wrong = [] if isinstance(value, dict) else {"wrong": True}
            for damage in ({k: v for k, v in good.items() if k != key}, {**good, key: wrong}):
                node.clear()
                node.update(damage)
                assert errors(name, document), f"{key} of {damage}"
                damaged += 1
        node.clear()
        node.update({**good, "additional": 1})
        assert errors(name, document), f"additional key in {good}"
        node.clear()
        node.update(good)
    assert damaged > 20
    assert errors(name, document) == []


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("summary", "as_of", "2026-11-01T00:00:00"),  # no zone
        ("summary", "as_of", "2026-11-01T00:00:00+00:00"),  # a zone, but not Z
        ("summary", "definition_hash", "ABCDEF0123456789"),
        ("summary", "schema_version", 2),
        ("summary", "phase_model", "auto"),
        ("compliance", "breach_count", -1),
        ("compliance", "breach_count", 1.5),
    ],
)
def test_patterns_words_and_bounds_are_checked(
    name: str, key: str, value: Any, samples: dict[str, reports.Document]
) -> None:
    """Types alone would accept these values."""
    assert errors(name, samples[name] | {key: value})


def test_every_document_has_a_schema() -> None:
    assert list(TYPES) == list(reports.DOCUMENTS)
    for name in TYPES:
        found = schema(name)
        jsonschema.Draft202012Validator.check_schema(found)
        assert found["title"] == f"{name}.json"
    with pytest.raises(ValueError, match=r"No document is called 'incidents'\. The documents are summary, trend"):
        schema("incidents")


def test_keys_stand_in_the_order_of_the_schema(samples: dict[str, reports.Document]) -> None:
    """The types declare the order of the columns that are selected; a document that is built by hand must follow it."""
    for name, document in samples.items():
        assert list(document) == list(schema(name)["properties"])


def test_the_module_prints_a_schema() -> None:
    """How somebody without Python knowledge gets a schema; docs/report.md shows this command."""

    def run(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mttr_pipeline.reports.schemas", name]
        return subprocess.run(command, env=clean_env(), cwd=REPOSITORY, capture_output=True, text=True, check=False)

    printed = run("trend")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert json.loads(printed.stdout) == schema("trend")
    refused = run("incidents")
    assert refused.returncode == 2
    assert "invalid choice: 'incidents'" in refused.stderr
