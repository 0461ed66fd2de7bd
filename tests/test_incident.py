"""`mttr incident`: everything that is published about one incident, and nothing that nobody said or did."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from learned_worlds import EVERYTHING, company, incident
from support_e2e import REPOSITORY, finished_run, latest, mttr, query

from mttr_pipeline.publish import publish

RECORDS = REPOSITORY / "tests" / "fixtures" / "evidence.jsonl"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that a release broke and a rollback mended, with earlier incidents of several kinds."""
    folder = tmp_path_factory.mktemp("evidence")
    mttr("--data-dir", folder, "import", RECORDS, cwd=folder).ended(0)
    mttr("--data-dir", folder, "rebuild", "--as-of", "2025-10-01T06:00:00Z", cwd=folder).ended(0)
    return folder


def asked(data: Path, name: str) -> dict[str, Any]:
    found = json.loads(mttr("--data-dir", data, "incident", name, "--format", "json", cwd=data).ended(0).out)
    assert isinstance(found, dict)
    return found


def test_it_says_what_happened_in_order_and_from_where(data: Path) -> None:
    """The deploy that broke it, the people who worked on it and the rollback, in one list; each deploy with what ties it to it."""
    found = asked(data, "custom:NOW")
    assert [(row["at"][11:16], row["what"]) for row in found["timeline"]] == [
        ("10:00", "deploy"),
        ("10:10", "detected"),
        ("10:12", "acknowledged"),
        ("10:58", "rollback"),
        ("11:00", "mitigated"),
        ("11:50", "resolved"),
    ]
    assert {row["version"]: (row["relation"], row["method"]) for row in found["deploys"]} == {
        "2.4.1": ("introduced", "window"),
        "2.4.0": ("during", None),
    }
    assert [row["stamp"] for row in found["stamps"]] == ["detected", "acknowledged", "mitigated", "resolved"]
    assert {row["source"] for row in found["stamps"]} == {"custom"}
    assert found["incident"]["resolve_minutes"] == 100 and found["incident"]["affected_users"] == 1200
    assert found["breaches"] == [{"target_minutes": 30, "actual_minutes": 100, "over_minutes": 70, "is_open": False}]


def test_the_last_deploy_before_it_is_told_only_where_none_introduced_it(data: Path) -> None:
    """And then in words that do not blame it."""
    (row,) = asked(data, "custom:OLD-2")["deploys"]
    assert (row["relation"], row["version"], row["minutes_before"]) == ("before", "1.0.0", 9 * 1440 - 29)
    shown = mttr("--data-dir", data, "incident", "custom:OLD-2", cwd=data).ended(0).out
    assert "not linked to it" in " ".join(shown.split())
    assert "introduced it" not in shown


def test_similar_ones_are_earlier_and_say_what_ended_them(data: Path) -> None:
    """Of the same service and a similar title; not a later one, nor one of another service, nor one that only has the service."""
    (row,) = asked(data, "custom:NOW")["similar"]
    assert (row["external_id"], row["why"], row["resolve_minutes"]) == ("OLD-1", "the same service, similar title", 40)
    assert row["root_cause_category"] == "bad release"
    assert [note["text"] for note in row["ended_by"]["notes"]] == ["Mitigated: rolled back"]
    assert [back["version"] for back in row["ended_by"]["rollbacks"]] == ["1.0.0"]
    assert asked(data, "custom:OLD-1")["similar"] == []


def test_what_is_more_alike_comes_first(data: Path) -> None:
    """A similar title before the same root cause, which says less, although that one was later."""
    found = [(row["external_id"], row["why"]) for row in asked(data, "custom:CAUSE-2")["similar"]]
    assert found == [("CAUSE-3", "the same service, similar title"), ("CAUSE-1", "the same service and root cause")]


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_people_read_the_same(data: Path, form: str) -> None:
    """Every section, with the addresses, and nothing that steers a terminal or that Markdown takes for its own."""
    shown = mttr("--data-dir", data, "incident", "NOW", "--format", form, cwd=data, env={"COLUMNS": "180"}).ended(0).out
    flat = " ".join(shown.split())
    assert all(line.isprintable() for line in shown.splitlines())
    for said in (
        "SEV1",
        "100.0 min from detected to resolved",
        "introduced it (window)",
        "Similar earlier ones",
        "1,200 users",
    ):
        assert said in flat
    assert "https://ci.example/241" in shown
    if form == "markdown":
        assert "\\<b\\>" in shown and "Checkout \\| pays \\`nothing\\`" in shown
        assert "(<https://tickets.example/NOW?a=1%7C2>)" in shown  # a bare | would end the cell


def test_every_name_of_it_leads_to_it(data: Path) -> None:
    """Its id, the beginning of that, a record, and the address of its page."""
    incident_id = asked(data, "custom:NOW")["incident"]["incident_id"]
    for name in (incident_id, incident_id[:8].upper(), "NOW", "https://tickets.example/NOW?a=1|2"):
        assert asked(data, name)["incident"]["incident_id"] == incident_id


@pytest.mark.parametrize("name", ["nothing", "custom:NOTHING", "abcdef0123", "ab", "'; DROP TABLE incidents"])
def test_what_is_no_incident_is_said(data: Path, name: str) -> None:
    """With the ways in which one can be named."""
    told = mttr("--data-dir", data, "incident", name, cwd=data).ended(2).err
    assert "is no published incident" in told and "source:external_id" in told


def test_nothing_published_is_said(tmp_path: Path) -> None:
    assert "Nothing is published" in mttr("--data-dir", tmp_path, "incident", "x", cwd=tmp_path).ended(2).err


def test_records_of_several_tools_are_one_story() -> None:
    """All records of a golden incident, each of its events once, and every record leads to the same evidence."""
    data = finished_run()
    database = latest(data) / "mttr.duckdb"
    (incident_id, n) = query(
        data,
        """SELECT incident_id, count(*) FROM records GROUP BY incident_id
        ORDER BY count(DISTINCT source) DESC, count(*) DESC, incident_id LIMIT 1""",
    )[0]
    found = asked(data, incident_id)
    assert len(found["records"]) == n > 1 and found["records"][0]["role"] == "primary"
    with duckdb.connect(str(database), read_only=True) as con:
        events = con.execute(
            """SELECT count(DISTINCT (source, external_id, "at", event_type, vendor_type, actor, notes)) FROM incident_events
            WHERE incident_id = ? AND event_type <> 'note'""",
            [incident_id],
        ).fetchall()[0][0]
    assert len([row for row in found["timeline"] if row["what"] != "note"]) >= events > 0
    assert [row["at"] for row in found["timeline"]] == sorted(row["at"] for row in found["timeline"])
    for record in found["records"]:
        again = asked(data, f"{record['source']}:{record['external_id']}")
        assert again["incident"]["incident_id"] == incident_id


def test_a_database_of_an_earlier_release_gives_what_it_has(data: Path, tmp_path: Path) -> None:
    """Parts whose tables it lacks are left out; the rest is there."""
    generation = tmp_path / "published" / "20251001T060000000Z-0000"
    generation.mkdir(parents=True)
    shutil.copy(latest(data) / "mttr.duckdb", generation / "mttr.duckdb")
    (generation / "mttr.duckdb").chmod(0o600)
    with duckdb.connect(str(generation / "mttr.duckdb")) as con:
        con.execute("DROP TABLE incident_deploys; DROP TABLE deploys; DROP TABLE links")
    (tmp_path / "published" / "latest").symlink_to(generation.name)
    found = asked(tmp_path, "custom:NOW")
    assert "deploys" not in found and "links_not_followed" not in found
    assert found["similar"] and found["timeline"]


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company with an error tracker and post-mortems: one incident with a linked issue and one that is only near in time."""
    folder = tmp_path_factory.mktemp("tracked")
    old = replace(EVERYTHING.links[0], target="SHOP-old")
    told = replace(
        EVERYTHING,
        incidents=[
            *EVERYTHING.incidents,
            incident("before", days=12, minutes=30, severity="SEV3", title="Cart is empty"),
        ],
        links=[*EVERYTHING.links, replace(old, id="before"), old],
    )
    with company(folder / "work", told) as warehouse:
        publish(warehouse, folder / "published", "20261101T000000000Z-0000")
    return folder


def test_errors_say_what_ties_them(tracked: Path) -> None:
    """A linked issue with its episode; one that is near in time is called that, in the list and in the timeline."""
    found = asked(tracked, "custom:checkout")
    assert [(row["key"], row["method"], row["is_weak"]) for row in found["errors"]] == [
        ("SHOP-old", "link", False),
        ("SHOP-cause", "link", False),
        ("SHOP-near", "service and time", True),
    ]
    told = {
        row["external_id"]: (row["what"], row["text"]) for row in found["timeline"] if row["what"].startswith("error")
    }
    assert told == {
        "old": ("error first seen", "SHOP-old error old"),
        "cause": ("error first seen", "SHOP-cause error cause"),
        "near": ("error first seen", "SHOP-near error near (near in time)"),
    }
    shown = " ".join(
        mttr("--data-dir", tracked, "incident", "custom:checkout", cwd=tracked, env={"COLUMNS": "220"})
        .ended(0)
        .out.split()
    )
    assert "linked to it" in shown and "near in time: of its service" in shown
    assert [(row["external_id"], row["error"]) for row in found["same_errors"]] == [("before", "SHOP-old")]
    assert asked(tracked, "custom:before")["same_errors"] == []
    assert asked(tracked, "custom:late")["errors"] == []


def test_post_mortems_are_in_the_list_and_in_the_timeline(tracked: Path) -> None:
    """Completed ones at their time; that one is missing is said, because others are known."""
    found = asked(tracked, "custom:basket")
    assert [(row["kind"], row["external_id"], row["on_time"]) for row in found["follow_ups"]] == [
        ("post_mortem", "PM-1", True),
        ("action", "ACT-1", None),
        ("action", "ACT-2", None),
    ]
    completed = [(row["what"], row["text"]) for row in found["timeline"] if "completed" in row["what"]]
    assert completed == [("post-mortem completed", "PM-1 about basket"), ("action completed", "ACT-2 about basket")]
    (missing,) = asked(tracked, "custom:late")["follow_ups"]
    assert (missing["external_id"], missing["is_due"], missing["on_time"]) == (None, True, False)


def test_no_post_mortem_is_missing_where_none_is_known(data: Path) -> None:
    """A company that writes them elsewhere must not read that it has none."""
    assert asked(data, "custom:NOW")["follow_ups"] == [] and asked(data, "custom:NOW")["errors"] == []
    shown = mttr("--data-dir", data, "incident", "custom:NOW", cwd=data).ended(0).out
    assert "Post-mortem" not in shown and "Errors" not in shown
