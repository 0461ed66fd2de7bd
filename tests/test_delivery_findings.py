"""Findings about deploys: each counts its cause where there is one, nothing where there is none, and no row without deploys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from correlation_cases import DAY, HOUR, MINUTE
from delivery_worlds import INCIDENTS, company, deploy
from report_cases import ago
from support import AS_OF_US, rows

from mttr_pipeline.reports import delivery

#: The incident `short 0` begins 12 days before the clock of the run.
TWICE = {"service": "shop", "severity": "SEV2", "resolved_at": ago(days=11)}
INCIDENTS_OF_TWO = [
    *INCIDENTS,
    {**TWICE, "external_id": "twin", "detected_at": ago(days=15), "url": "https://a.test/1"},
    {**TWICE, "external_id": "other twin", "detected_at": ago(days=14), "url": "https://a.test/1"},
]
SHA = "abcdef1234"
TROUBLE = [
    deploy("fine", days=30, started_at=AS_OF_US - 31 * DAY),
    deploy("no finish", days=0, finished_at=None),
    deploy("still running", days=0, finished_at=None, status=None),
    deploy("no finish elsewhere", days=0, finished_at=None, environment="staging"),
    deploy("nobody's", days=29, service=None),
    deploy("a tag", days=28, finished_precision="commit"),
    deploy("between runs", days=27, finished_precision="interval"),
    deploy("backwards", days=26, started_at=AS_OF_US - 26 * DAY + HOUR),
    deploy("clock", days=12 - 1 / 24, caused=("short 0",)),
    deploy("says much", days=25, caused=("nobody knows", "https://a.test/1", "short 1")),
    deploy("here", days=24, sha=SHA),
    deploy("there", days=24, sha=SHA, source="pagerduty", finished_at=AS_OF_US - 24 * DAY + 2 * MINUTE),
]
CLEAN = [
    deploy("fine", days=30, started_at=AS_OF_US - 31 * DAY),
    deploy("named", days=12 + 1 / 24, caused=("short 0",)),
    deploy("elsewhere", days=25, environment="staging", service=None, finished_precision="commit"),
]
#: Finding -> n, total, status and examples of the source custom, in the history with trouble; totals in the clean one.
COUNTED: dict[str, tuple[int, int, str, list[str] | None, int]] = {
    "deploy_without_finish": (1, 9, "warn", ["no finish"], 2),
    "deploy_without_service": (1, 10, "warn", ["nobody's"], 2),
    "deploy_finish_not_exact": (2, 8, "info", None, 2),
    "deploy_ends_before_start": (1, 2, "warn", ["backwards"], 1),
    "deploy_of_several_sources": (1, 11, "info", None, 3),
    "deploy_cause_unknown": (2, 4, "warn", ["https://a.test/1", "nobody knows"], 1),
    "incident_before_its_deploy": (1, 2, "warn", ["clock"], 1),
}
ABOUT_DEPLOYS = """FROM mart.data_quality
WHERE contains(dq_check, 'deploy') OR dq_check IN ('unmapped_environment', 'introduced_by_unknown')"""


@pytest.fixture(scope="module")
def companies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[tuple[str, str], Any], list[str]]]:
    """Name of the company -> finding and source -> its row; and what Dagster warns of."""

    def of(name: str, **given: Any) -> tuple[dict[tuple[str, str], Any], list[str]]:
        folder: Path = tmp_path_factory.mktemp(name)
        with company(folder, incidents=INCIDENTS_OF_TWO, **given) as warehouse:
            found = {(row["dq_check"], row["source"]): row for row in rows(warehouse.con, ABOUT_DEPLOYS)}
            return found, delivery.warnings(warehouse.con)

    return {
        "trouble": of("trouble", deploys=TROUBLE, words=[("custom", "prod-eu", 3), ("custom", "staging", 1)]),
        "clean": of("clean", deploys=CLEAN, words=[("custom", "production", 2)]),
        "none": of("none", deploys=[]),
    }


@pytest.fixture(scope="module")
def findings(companies: Any) -> dict[str, dict[tuple[str, str], dict[str, Any]]]:
    return {name: found for name, (found, _) in companies.items()}


@pytest.mark.parametrize("check", COUNTED)
def test_a_finding_counts_its_cause_and_nothing_without_it(findings: Any, check: str) -> None:
    """What keeps a deploy out of a figure or a link is counted, with names to look for; where nothing does, the finding is quiet."""
    n, total, status, examples, total_of_clean = COUNTED[check]
    row = findings["trouble"][check, "custom"]
    assert (row["n"], row["total"], row["status"], row["examples"]) == (n, total, status, examples)
    clean = findings["clean"][check, "custom"]
    assert (clean["n"], clean["total"], clean["status"]) == (0, total_of_clean, "ok")


def test_an_environment_that_no_map_contains_is_a_finding_with_its_setting(findings: Any) -> None:
    """The one setting that a new company needs."""
    row = findings["trouble"]["unmapped_environment", "custom"]
    assert (row["n"], row["total"], row["status"], row["examples"]) == (3, 4, "warn", ["prod-eu"])
    assert row["meaning"].endswith("they do not count as production; map them in [sources.custom.environment]")
    assert findings["clean"]["unmapped_environment", "custom"]["n"] == 0


def test_the_other_source_of_one_deploy_is_counted_too(findings: Any) -> None:
    assert findings["trouble"]["deploy_of_several_sources", "pagerduty"]["n"] == 1


def test_without_deploys_there_is_no_row(findings: Any) -> None:
    """A company that does not tell its deploys is not warned about them."""
    assert findings["none"] == {}


def test_dagster_warns_of_each_finding_to_act_on_and_of_no_other(companies: Any) -> None:
    """The check `deploys_known` shows what is to be done about deploys, and is quiet where there is nothing."""
    found, warned = companies["trouble"]
    to_act_on = sorted(key for key, row in found.items() if row["status"] == "warn")
    assert len(to_act_on) == 6
    for (check, source), text in zip(to_act_on, warned, strict=True):
        row = found[check, source]
        assert text == f"{source}: {row['n']} of {row['total']} {row['meaning']}"
    assert companies["clean"][1] == companies["none"][1] == []
