"""Real histories through the whole road, against figures that were computed without this program.

The data sets are no part of the project: they are looked for in `../shared/data` beside the repository, and without them
these tests are skipped. Jira: 501 issues of Apache projects with their whole changelogs, as the REST API gave them, served
by the simulated site. ServiceNow and GitHub: the examples of `examples/`, imported.

Where the Jira issues differ from "resolved at the last move from an open to a done status":

* CLOSED_DIRECTLY: the last such move went straight to Closed. By the definitions that is a close, and the resolve is
  imputed from it: the same instant, under another event type.
* LATE_REOPENS: reopened later than 24 hours after the resolve. That is a second episode with a row of its own; the last
  resolve is the one of the last episode.
* DUPLICATES: resolved as Duplicate with a link to the original. They keep their stamps and their row, and are counted
  under the original only.
* RESOLUTION_DATE_DIFFERS: the site's own `resolutiondate` is more than two seconds away from the move (17 seconds,
  20 days, 3 seconds).
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zstandard
from support_e2e import REPOSITORY, UNTIL, mttr, process, published, query, scratch

from mttr_pipeline.demo import VendorServer
from mttr_pipeline.demo.jira import JiraSimulator

DATA = REPOSITORY.parent / "shared" / "data"

CLOSED_DIRECTLY = {
    *("BLUR-326", "CB-159", "CB-563", "CB-2108", "CB-2115", "CB-2129", "CB-2130", "CB-2131", "CB-2132", "CB-2134"),
    *("CB-2135", "CB-2136", "CB-2161", "CB-2611", "CB-2612", "CB-3070", "CB-3928", "CB-5731", "CB-5734", "CB-5757"),
    *("CLIMATE-351", "FLEX-29011", "INFRA-4146", "INFRA-4397", "INFRA-4629", "JENA-135", "MTOMCAT-43", "MTOMCAT-113"),
    *("MTOMCAT-114", "MTOMCAT-115", "ONAMI-43", "S4-40", "S4-46", "STORM-189", "STORM-192"),
}
LATE_REOPENS = {
    *("ANY23-34", "CB-182", "CB-2165", "CB-5731", "FLEX-33084", "GORA-125", "JENA-135", "MTOMCAT-43", "ROL-1983"),
}
DUPLICATES = {
    *("CB-136", "CB-150", "CB-54", "CB-5589", "CB-5716", "CB-5897", "DRILL-1168", "DRILL-1288", "DRILL-1447"),
    *("DRILL-1451", "DRILL-891", "DRILL-895", "GORA-176", "HELIX-349", "STORM-189", "TEZ-68", "TEZ-706", "TWILL-18"),
}
RESOLUTION_DATE_DIFFERS = {"CB-54", "FLEX-29007", "INFRA-4629"}
OPEN = {"CB-6627", "DRILL-1243", "GORA-125", "STORM-188", "TEZ-743"}

DONE = {"Resolved", "Closed", "Done"}
TWO_SECONDS = timedelta(seconds=2)


def folder(name: str) -> Path:
    """The folder of a data set; skips the test when it is not there."""
    path = DATA / name
    if not path.is_dir():
        pytest.skip(f"the data set {name} is not there; to run this test put it into {path}")
    return path


def unpacked(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True).read()


def facts(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder(name) / "reference_facts.json").read_text(encoding="utf-8"))
    return found


# -- Jira --------------------------------------------------------------------------------------------------------------


@cache
def issues() -> list[dict[str, Any]]:
    path = folder("jira_changelog_apache") / "issues.jsonl.zst"
    return [json.loads(line) for line in unpacked(path).splitlines()]


def instant(text: str | None) -> datetime | None:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z") if text else None


def ended(issue: dict[str, Any]) -> datetime | None:
    """The last move from an open to a done status; None for an issue that is open now. Straight from the raw changelog."""
    moves = [
        (instant(history["created"]), item["fromString"], item["toString"])
        for history in sorted(issue["changelog"]["histories"], key=lambda history: history["created"])
        for item in history["items"]
        if item["field"] == "status"
    ]
    ends = [at for at, before, after in moves if after in DONE and before not in DONE]
    return ends[-1] if ends and issue["fields"]["status"]["name"] in DONE else None


def near(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= TWO_SECONDS


@cache
def pulled(flavour: str) -> Path:
    """The real command against a site of that flavour that holds exactly these issues."""
    data_dir = scratch() / flavour
    projects = ", ".join(facts("jira_changelog_apache")["projects"])
    with VendorServer([JiraSimulator.from_issues(issues(), flavour)], clock=UNTIL, limits=None) as server:
        env = {**server.env(), "JIRA_JQL": f"project in ({projects})"}
        mttr("--data-dir", data_dir, "run", "--since", "2009-01-01", "--as-of", UNTIL.isoformat(), env=env).ended(0)
    return data_dir


def of_the_last_episode(data_dir: Path, column: str) -> dict[str, Any]:
    """Issue key -> value in its newest row."""
    place = "row_number() OVER (PARTITION BY key ORDER BY episode DESC)"
    return dict(query(data_dir, f"SELECT key, {column} FROM records QUALIFY {place} = 1"))


BOTH = pytest.mark.parametrize("flavour", ["cloud", pytest.param("dc", marks=pytest.mark.slow)])


@BOTH
def test_every_apache_issue_is_resolved_when_its_changelog_says(flavour: str) -> None:
    """496 resolves to the millisecond, each in the history; the ones that are told as something else by name."""
    reference, data_dir = facts("jira_changelog_apache"), pulled(flavour)
    expected = {issue["key"]: at for issue in issues() if (at := ended(issue))}
    assert (len(issues()), len(expected)) == (reference["issues"], 496)
    rows = of_the_last_episode(data_dir, "resolved_at")
    assert {key: at for key, at in rows.items() if at} == expected
    assert {key for key, at in rows.items() if not at} == OPEN

    events = set(
        query(
            data_dir,
            """SELECT i.key, e.event_type, e."at" FROM incident_events AS e
            JOIN (SELECT DISTINCT source, external_id, key FROM records) AS i USING (source, external_id)
            WHERE e.event_type IN ('resolved', 'closed')""",
        )
    )
    told_as = {key: {kind for name, kind, when in events if (name, when) == (key, at)} for key, at in expected.items()}
    assert {key for key, kinds in told_as.items() if "resolved" not in kinds} == CLOSED_DIRECTLY
    assert all(told_as[key] == {"closed"} for key in CLOSED_DIRECTLY)
    provenance = of_the_last_episode(data_dir, "resolved_provenance")
    assert {key for key, of in provenance.items() if of == "imputed"} == CLOSED_DIRECTLY


@BOTH
def test_what_the_definitions_make_of_apache_issues(flavour: str) -> None:
    """Episodes and duplicates by name; the site's own resolutiondate agrees where the reference says that it does."""
    reference, data_dir = facts("jira_changelog_apache"), pulled(flavour)
    assert {key for (key,) in query(data_dir, "SELECT key FROM incidents WHERE episode > 1")} == LATE_REOPENS
    assert {key for (key,) in query(data_dir, "SELECT key FROM records WHERE role = 'duplicate'")} == DUPLICATES
    assert query(data_dir, "SELECT count(*) FROM quarantine") == [(0,)]

    said = {issue["key"]: instant(issue["fields"].get("resolutiondate")) for issue in issues()}
    last = of_the_last_episode(data_dir, "resolved_at")
    assert sum(near(at, last[key]) for key, at in said.items()) == reference["resolutiondate~=last_open_to_done(2s)"]
    assert {key for key, at in said.items() if at and not near(at, last[key])} == RESOLUTION_DATE_DIFFERS
    # MTOMCAT-113 was closed, reopened and closed, and never resolved: its first resolve is the one that is imputed.
    first = dict(
        query(data_dir, "SELECT key, first_resolved_at FROM records WHERE episode = 1 AND key <> 'MTOMCAT-113'")
    )
    agreeing = sum(near(said[key], at) for key, at in first.items())
    assert agreeing == reference["resolutiondate~=first_done(2s)"]


# -- custom records ----------------------------------------------------------------------------------------------------


def converted_imported_and_rebuilt(script: str, source: Path, as_of: datetime) -> Path:
    """The commands of examples/README.md, one after the other."""
    work = scratch()
    process([sys.executable, str(REPOSITORY / "examples" / script), str(source), str(work / "out.jsonl")]).ended(0)
    mttr("--data-dir", work / "data", "import", work / "out.jsonl").ended(0)
    mttr("--data-dir", work / "data", "rebuild", "--as-of", as_of.isoformat()).ended(0)
    return work / "data"


def figures(data_dir: Path, call: str) -> dict[Any, dict[str, Any]]:
    """Rows of a macro of the published database by their scope (None for the only one)."""
    with published(data_dir) as con:
        cursor = con.execute(f"FROM {call}")
        names = [column[0] for column in cursor.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {row.get("scope_value"): row for row in rows}


def agrees(row: dict[str, Any], expected: dict[str, Any]) -> None:
    """Count and minutes as they are in the reference, which is rounded to four places."""
    assert row["incidents_analyzed"] == expected["n"]
    for name in {"mean", "median", "p90", "p95", "p99", "min", "max"} & expected.keys():
        assert round(row[f"{name}_minutes"], 4) == expected[name], name


@pytest.mark.slow
def test_the_servicenow_log() -> None:
    """141,712 events of 24,918 incidents by the documented example: the figures of the log's own columns."""
    reference = facts("uci_servicenow")
    source = folder("uci_servicenow") / "incident_event_log.csv.zst"
    data_dir = converted_imported_and_rebuilt("servicenow_event_log.py", source, datetime(2017, 3, 1, tzinfo=UTC))
    whole = figures(data_dir, "mttr(exclude_outliers := false)")[None]
    agrees(whole, {"n": 23_362, "mean": 10_690.2949, "median": 1_326.0, "p95": 42_631.05})
    severities = figures(data_dir, "mttr_by('severity', exclude_outliers := false)")
    assert len(reference["ttr_by_priority_nonneg"]) == 4
    agrees(whole, reference["ttr_minutes_all_nonnull"])
    for name, expected in reference["ttr_by_priority_nonneg"].items():
        agrees(severities[f"SEV{name[0]}"], expected)
    assert query(data_dir, "SELECT count(DISTINCT external_id), count(*) FROM incidents") == [(24_918, 24_918)]
    # The log ends with all of them closed, 1,556 at a time that it does not say.
    assert (whole["excluded_missing_end"], whole["excluded_open"]) == (reference["incident_resolved_null"], 0)
    assert query(data_dir, "SELECT count(*) FROM abandoned_incidents") == [(0,)]


@pytest.mark.slow
def test_github_status() -> None:
    """819 incidents with their updates: the 18 of maintenance are kept and not counted."""
    reference = facts("github_status")
    source = folder("github_status") / "incidents.jsonl"
    data_dir = converted_imported_and_rebuilt("github_status.py", source, datetime(2026, 9, 1, tzinfo=UTC))
    whole = figures(data_dir, "mttr(exclude_outliers := false)")[None]
    agrees(whole, {"n": 801, "mean": 125.8527, "median": 65.0, "p95": 404.0})
    agrees(whole, reference["ttr_minutes_excl_maintenance"])
    severities = figures(data_dir, "mttr_by('severity', exclude_outliers := false)")
    for impact, severity in (("critical", "SEV1"), ("major", "SEV2"), ("minor", "SEV3"), ("none", "SEV4")):
        agrees(severities[severity], reference["ttr_by_impact"][impact])
    assert query(data_dir, "SELECT kind, count(*) FROM incidents GROUP BY ALL ORDER BY ALL") == [
        ("incident", 801),
        ("maintenance", 18),
    ]
