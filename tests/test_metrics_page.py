"""The page of definitions and the configuration page: what they show runs, and gives the figures that they name."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from delivery_worlds import company
from error_company import ISSUES
from error_company import company as company_with_errors
from mart_cases import alone, built, many, rows
from support import settings_for

from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import Warehouse

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "metrics.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
CONFIGURATION = (DOCS / "configuration.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    """Incidents of which every query finds some."""
    incidents = [replace(one, id=f"mine {n}", service="Checkout") for n, one in enumerate(many(30))] + many(30)
    incidents += [
        alone(None, 10, severity="SEV2", number=1),
        alone(200, 190, 150, None, 100, 60, 20, severity="SEV2", number=2),
    ]
    # The incidents have no records, so nothing can be said of how many records made them.
    tables = [model.table for model in default_catalog().published if model.name != "correlation"]
    file = {
        "phase_model": "coarse",
        "targets": {"phases": {"acknowledgment": 30}, "services": {"Checkout": {"SEV2": 20}}},
    }
    with built(tables, incidents, file) as warehouse:
        yield warehouse  # type: ignore[misc]


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A company with deploys, for the queries about them."""
    with company(tmp_path_factory.mktemp("delivered")) as warehouse:
        yield warehouse


@pytest.fixture(scope="module")
def with_errors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A company with an error tracker, for the queries about it."""
    with company_with_errors(tmp_path_factory.mktemp("errors"), ISSUES) as warehouse:
        yield warehouse


@pytest.mark.parametrize("query", QUERIES, ids=[query.splitlines()[0][:90] for query in QUERIES])
def test_query_lists_what_is_behind_the_figure(query: str, request: pytest.FixtureRequest) -> None:
    """It runs in the published file's schema, finds something, and has as many rows as the figure it names."""
    fixtures = {"FROM delivery": "delivered", "FROM error_": "with_errors"}
    warehouse = request.getfixturevalue(next((name for text, name in fixtures.items() if text in query), "warehouse"))
    found = rows(warehouse, query)
    assert found
    named = re.match(r"-- row count: (.*)\n", query)
    if named:
        (figure,) = rows(warehouse, named[1])
        assert list(figure.values()) == [len(found)]
        assert len({row["incident_id"] for row in found}) == len(found) if "incident_id" in found[0] else True


def test_every_table_of_figures_is_explained() -> None:
    """A reader who meets a table finds its meaning here, or a link to where it is told."""
    described_elsewhere = {
        *("incidents", "incident_events", "incident_sources", "incident_responders", "services", "teams", "quarantine"),
        *("source_runs", "metric_definitions", "vendor_sla"),
    }
    tables = {model.name for model in default_catalog().published} - described_elsewhere
    assert {table for table in tables if f"`{table}`" not in PAGE} == set()


def test_the_example_of_the_configuration_page_is_valid() -> None:
    """Every key in it exists; the sections of targets, thresholds and variants are among them."""
    example = max(re.findall(r"```toml\n(.*?)```", CONFIGURATION, re.DOTALL), key=len)
    settings = settings_for(Path(), tomllib.loads(example)).file
    assert settings.variants and settings.targets.services and settings.targets.phases
    assert settings.thresholds.severities and settings.thresholds.services
