"""Jira payloads to the common shape; each case says in its case.toml what would go wrong without it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from staging_cases import FOLDER, built, cases, check_promises, run_case

APACHE = Path(__file__).parents[2] / "shared" / "data" / "jira_changelog_apache"  # no part of the repository


@pytest.mark.parametrize("name", cases("jira"))
def test_case(name: str, tmp_path: Path) -> None:
    run_case("jira", name, tmp_path)


#: The last time that an issue went from open to done; it may be open again since.
ENDS = """
SELECT external_id, max(happened_at) AS ended_at
FROM (
    SELECT external_id, event_type, happened_at, lag(event_type) OVER (
        PARTITION BY external_id ORDER BY happened_at, event_type = 'reopened') AS before
    FROM staging.jira_events
    WHERE event_type IN ('resolved', 'closed', 'reopened')
)
WHERE event_type <> 'reopened' AND coalesce(before, 'reopened') = 'reopened'
GROUP BY external_id
"""

#: Issues whose resolutiondate is not when their history resolves them. The history is what counts.
OTHER_DATES = {
    "CB-54": "written 17 seconds before the transition",
    "FLEX-29007": "20 days before: the project was imported, with the date of the old tracker",
    "INFRA-4629": "written 3 seconds before the transition",
}


def test_a_history_in_pieces_tells_the_same_as_an_embedded_one(tmp_path: Path) -> None:
    """Cloud and Data Center differ in nothing but how the history is delivered, so the events must not differ either."""
    lines = (FOLDER / "jira" / "reopened" / "1" / "issues.jsonl").read_bytes().splitlines()
    issues = [json.loads(line) for line in lines]
    pieces = []
    for issue in issues:
        histories = issue.pop("changelog")["histories"]
        for history in histories:
            history["created"] = round(datetime.fromisoformat(history["created"]).timestamp() * 1000)
        pieces += [
            {"issueId": issue["id"], "changeHistories": histories[at : at + 2]} for at in range(0, len(histories), 2)
        ]
        pieces.append({"issueId": issue["id"], "changeHistories": histories[:1]})
    cloud = {"issues": encoded(issues), "changelogs": encoded(reversed(pieces))}
    events = "SELECT * EXCLUDE (landed_in) FROM staging.jira_events ORDER BY ALL"
    with built("jira", [{"issues": lines}], {}, tmp_path / "dc") as embedded:
        expected = embedded.con.execute(events).fetchall()
    with built("jira", [cloud], {}, tmp_path / "cloud") as fetched:
        assert fetched.con.execute(events).fetchall() == expected


def test_a_user_of_an_integration_copies_and_a_person_does_not(tmp_path: Path) -> None:
    """Data Center has no apps among its users. A site names the user of an integration after the tool; people have other names."""
    author = {
        "101": {"name": "svc-pagerduty", "key": "JIRAUSER10100", "displayName": "Incident sync"},
        "102": {"name": "u77", "key": "JIRAUSER10077", "displayName": "Opsgenie Integration"},
        "103": {"name": "duty.pager", "key": "JIRAUSER10101", "displayName": "Pagerdutyson, Custom Jira"},
    }
    issue = json.loads((FOLDER / "jira" / "reopened" / "1" / "issues.jsonl").read_bytes().splitlines()[0])
    for history in issue["changelog"]["histories"]:
        history["author"] = author[history["id"]]
    with built("jira", [{"issues": encoded([issue])}], {}, tmp_path) as warehouse:
        found = warehouse.con.execute(
            """SELECT left(c.history_id, 3), c.actor_kind, bool_or(e.is_copied) FROM (
                SELECT *, split_part(change_id, '/', 1) AS history_id FROM staging.jira_changes) AS c
            JOIN staging.jira_events AS e ON e.happened_at = c.happened_at GROUP BY ALL ORDER BY ALL"""
        ).fetchall()
    assert found == [("101", "integration", True), ("102", "integration", True), ("103", "human", False)]


def encoded(records: Iterable[Any]) -> list[bytes]:
    return [json.dumps(record).encode() for record in records]


@pytest.mark.skipif(not APACHE.is_dir(), reason="the Apache changelogs (shared/data beside the checkout) are not here")
def test_apache_changelogs_give_the_reference_times(tmp_path: Path) -> None:
    """501 real issues with their whole history: fixtures show what we thought of, these what really happens."""
    facts: dict[str, Any] = json.loads((APACHE / "reference_facts.json").read_text())
    with zstandard.open(APACHE / "issues.jsonl.zst", "rb") as stream:
        lines = stream.read().splitlines()
    with built("jira", [{"issues": lines}], {}, tmp_path) as warehouse:
        check_promises(warehouse, "jira")

        def rows(sql: str) -> list[Any]:
            return warehouse.con.execute(sql).fetchall()

        assert rows("SELECT count(*) FROM staging.jira_records") == [(facts["issues"],)]
        assert rows("SELECT count(*) FROM ops.quarantine") == [(0,)]
        moves = "SELECT count(*) FROM staging.jira_changes WHERE field = 'status'"
        assert rows(moves) == [(facts["status_transitions"],)]
        reopens = "SELECT count(DISTINCT external_id), count(*) FROM staging.jira_events WHERE event_type = 'reopened'"
        assert rows(reopens) == [(facts["reopened_issues"], facts["reopens_total"])]

        expected = facts["ttr_last_open_to_done_minutes"]
        minutes = f"""
            SELECT count(*), avg(m), median(m), quantile_cont(m, 0.9), quantile_cont(m, 0.99), min(m), max(m)
            FROM (SELECT epoch_us(ended_at - created_at) / 60e6 AS m FROM ({ENDS}) JOIN raw.jira_issues USING (external_id))"""
        names = ("n", "mean", "median", "p90", "p99", "min", "max")
        assert rows(minutes)[0] == pytest.approx([expected[name] for name in names], abs=1e-3)

        differing = f"""
            SELECT i.key, i.resolution_at, e.ended_at FROM raw.jira_issues AS i LEFT JOIN ({ENDS}) AS e USING (external_id)
            WHERE i.resolution_at IS NOT NULL
                AND coalesce(abs(epoch_us(i.resolution_at) - epoch_us(e.ended_at)) > 2_000_000, true) ORDER BY i.key"""
        found = [key for key, _, _ in rows(differing)]
        dated = facts["issues"] - round(facts["null_rates"]["resolutiondate"] * facts["issues"])
        assert dated - len(found) == facts["resolutiondate~=last_open_to_done(2s)"]
        assert found == sorted(OTHER_DATES)
