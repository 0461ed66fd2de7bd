"""Errors of the demonstration company over the whole road, against what its story tells, on two nights.

The nights are those of test_deploy_truth: one build serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_cases import causes
from error_truth import SERVICE, Told, class_of, deploy_of, episodes, issues_of, named_by
from test_deploy_truth import NIGHTS, VOLUMES, expected, generations, incidents, read, the_company

from mttr_pipeline.demo import World
from mttr_pipeline.demo.registry import TOOLS


@pytest.fixture(scope="module")
def nights() -> list[Path]:
    return generations()


def is_the_truth(nights: Sequence[datetime], generation: Path) -> None:
    """Every episode with its deploy and its fix, every class, and every link to an incident, strong and weak, and no other."""
    company, now = the_company(), nights[-1]
    issues = issues_of(company, now)
    found = read(
        generation,
        """SELECT e.external_id, e.episode, e.began_by, e.began_at, d.sha, e.resolved_not_before, e.resolved_at, e.resolved_provenance,
            e.resolved_by, e.fix_method, f.sha, e.fix_state, e.fix_confirmed_at
        FROM error_episodes AS e LEFT JOIN deploys AS d ON d.deploy_id = e.introduced_by LEFT JOIN deploys AS f ON f.deploy_id = e.fix_deploy_id
        ORDER BY e.external_id, e.episode""",
    )  # fmt: skip
    assert [Told(*row) for row in found] == [one for issue in issues for one in episodes(company, issue, nights)]
    classes = read(generation, "SELECT external_id, service, status, class FROM error_issues ORDER BY external_id")
    assert classes == [(one.id, SERVICE[one.project], *class_of(company, one, nights)) for one in issues]

    links = set(
        read(
            generation,
            """SELECT s.source, s.external_id, e.external_id, e.method FROM incident_errors AS e JOIN incidents AS i USING (incident_id)
            JOIN incident_sources AS s USING (incident_id) WHERE i.resolved_at IS NOT NULL AND s.episode = 1""",
        )
    )
    reals = expected(company, nights, generation)
    shas = {real.name: dep.sha for real in reals for dep in real.records if dep.sha}
    introduced = {(incident, shas.get(deploy)) for incident, deploy, _ in causes(reals, incidents(company, now))}
    assert links == linked(company, now, introduced)


def linked(company: World, now: datetime, introduced: set[tuple[str, str | None]]) -> set[tuple[str, str, str, str]]:
    """Record, issue and method, for all records of each incident that is over. `introduced` are incidents and the commits that broke
    something."""
    found = set()
    for one in company.incidents(now, (*VOLUMES, "alertmanager")):
        row = one.row
        if row.resolved_at is None or row.kind != "incident":
            continue
        records = {(source, name) for source, name, episode in one.records if episode == 1}
        began = row.occurred_at or row.counted_detected_at
        for issue in issues_of(company, now):
            named = named_by(company, issue, now)
            bad = deploy_of(company, issue.first_release, now)
            if named and (TOOLS[named[0]].source, named[1]) in records:
                method = "link"
            elif not began - timedelta(hours=1) <= issue.first_seen <= max(began, row.resolved_at):
                continue
            elif bad and (f"{row.external_id}#{row.episode}", bad.sha) in introduced:
                method = "release"
            elif SERVICE[issue.project] == row.service:
                method = "service and time"
            else:
                continue
            found |= {(source, name, issue.id, method) for source, name in records}
    return found


@pytest.mark.parametrize("number", [0, 1])
def test_every_error_is_the_truth(nights: list[Path], number: int) -> None:
    """On both nights."""
    is_the_truth(NIGHTS[: number + 1], nights[number])
