"""Post-mortems, recurrence, noise, detection, ownership and on-call load against a plain reference, and at the edge of each limit.

Each test says what would go wrong without it. How vendors' answers become follow-ups is tested with the sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from correlation_cases import DAY, HOUR, Rec
from learning_cases import (
    MINUTE,
    TABLES,
    WINDOWS,
    Follow,
    Told,
    detection_sources,
    learned,
    learning,
    learnings,
    noise,
    oncall_load,
    ownership,
    recurrence,
    repeaters,
    template,
    worlds,
)
from mart_cases import rows
from support import AS_OF_US, drawn, more_where_slow

from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.people import pseudonyms

T0 = AS_OF_US - 45 * DAY


def page(name: str = "i", at: int = T0, **told: Any) -> Told:
    """An incident of a pager that was resolved after an hour."""
    more = {each: told.pop(each) for each in tuple(told) if each in Told.__dataclass_fields__}
    rec = {"severity": "SEV1", "severity_source": "field", "service": "Checkout", "title": "Disk full", **told}
    stamps = {"detected": at, "resolved": at + HOUR} | rec.pop("stamps", {})
    return Told(
        Rec(rec.pop("source", "pagerduty"), name, {k: v for k, v in stamps.items() if v is not None}, **rec), **more
    )


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def window_of(row: Mapping[str, Any]) -> str:
    starts = {start: name for name, (start, _) in WINDOWS.items()}
    return "whole" if row["window_start"] is None else starts[row["window_start"]]


def by_scope(warehouse: Warehouse, table: str, also: Sequence[str] = ()) -> dict[Any, dict[str, Any]]:
    found = {}
    for row in rows(warehouse, f"FROM mart.{table}"):
        where = (window_of(row), row["scope"], row["scope_value"])
        found[(where, *(row[name] for name in also)) if also else where] = row
    return found


def compare(found: Mapping[Any, Mapping[str, Any]], expected: Mapping[Any, Mapping[str, Any]]) -> None:
    """The same rows, and every value of the reference."""
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        for name, value in values.items():
            assert found[key][name] == (value if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)), (
                key,
                name,
            )


@more_where_slow(5, 60)
def test_every_figure_is_that_of_the_reference(tmp_path: Path, count: int) -> None:
    """Random incidents, calls and follow-ups: every row of every table, in every window and scope."""
    for number, (told, follow_ups) in enumerate(drawn(worlds(), count)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with learned(folder, told, follow_ups) as warehouse:
            compare(by_scope(warehouse, "detection_sources", ["detected_by"]), detection_sources(told))
            compare(by_scope(warehouse, "ownership"), ownership(told))
            compare(by_scope(warehouse, "recurrence"), recurrence(told))
            compare(by_scope(warehouse, "noise", ["source"]), noise(told))
            compare(by_scope(warehouse, "learning"), learning(told, follow_ups))
            shown = pseudonyms(warehouse.settings)
            expected = {
                (window, scope, shown(member) if scope == "person" else member): row
                for (window, scope, member), row in oncall_load(told).items()
            }
            compare(by_scope(warehouse, "oncall_load"), expected)
            worst = rows(warehouse, "FROM mart.repeaters")
            assert {
                (window_of(row), row["place"]): (row["incidents"], pytest.approx(row["minutes"])) for row in worst
            } == (repeaters(told))
            _same_follow_ups(warehouse, told, follow_ups)


def _same_follow_ups(warehouse: Warehouse, told: Sequence[Told], follow_ups: Sequence[Follow]) -> None:
    names = {row["incident_id"]: row["external_id"] for row in rows(warehouse, "FROM mart.incidents")}
    found = {
        (names[row["incident_id"]], row["kind"], row["external_id"]): (
            row["due_at"],
            row["completed_at"],
            row["on_time"],
        )
        for row in rows(warehouse, "FROM mart.follow_ups")
    }
    expected: dict[Any, Any] = {}
    for each in learnings(told, follow_ups):
        if each.is_wanted or each.post_mortem:
            at, limit = each.completed_at, each.due_at
            on_time = (None if limit is None else at <= limit) if at is not None else (False if each.is_due else None)
            name = each.post_mortem.id if each.post_mortem else None
            expected[each.one.id, "post_mortem", name] = (limit, at, on_time)
        for action in each.actions:
            at = action.completed_at if action.completed_at is not None and action.completed_at <= AS_OF_US else None
            limit = action.due_at
            late = False if limit is not None and limit < AS_OF_US else None
            on_time = late if at is None else None if limit is None else at <= limit
            expected[each.one.id, "action", action.id] = (limit, at, on_time)
    assert found == expected


def test_due_is_the_fifth_weekday_at_the_same_time_of_day(tmp_path: Path) -> None:
    """On every weekday, over the end of summer time: 12:00 in Berlin stays 12:00, which is another hour in UTC."""
    cases = {
        "2026-10-19T10:00": "2026-10-26T11:00",  # Monday; summer time ends on the 25th
        "2026-10-15T10:00": "2026-10-22T10:00",
        "2026-10-16T22:30": "2026-10-22T22:30",  # 00:30 of Saturday in Berlin
        "2026-10-17T10:00": "2026-10-23T10:00",  # Saturday: Monday is day 1
        "2026-10-18T10:00": "2026-10-23T10:00",  # Sunday
    }
    told = [page(f"i{n}", us(resolved) - HOUR) for n, resolved in enumerate(cases)]
    with learned(tmp_path, told, tables=FOLLOW_UPS) as warehouse:
        found = rows(
            warehouse,
            """SELECT epoch_us(due_at) AS due_at FROM core.follow_ups JOIN mart.incidents AS i USING (incident_id)
            ORDER BY i.external_id""",
        )
    assert [row["due_at"] for row in found] == [us(limit) for limit in cases.values()]


FOLLOW_UPS = (
    *("core.links", "core.groups", "core.members", "core.evidence", "core.golden", "core.incidents", "core.incident_sources"),
    "core.follow_ups",
)  # fmt: skip


def shares(folder: Path, told: Sequence[Told], follow_ups: Sequence[Follow]) -> dict[str, Any]:
    """The row of all over the whole history."""
    folder.mkdir(exist_ok=True)
    with learned(folder, told, follow_ups) as warehouse:
        return by_scope(warehouse, "learning")["whole", "all", "all"]


def test_in_time_is_until_the_very_instant(tmp_path: Path) -> None:
    """Completed at the instant when it is due is in time, a microsecond later is not."""
    limit = us("2026-09-21T23:00")
    one = page(at=us("2026-09-14T22:00"))
    for completed, expected in ((limit, 1), (limit + 1, 0)):
        found = shares(tmp_path / str(completed), [one], [Follow("p", "post_mortem", "i", completed_at=completed)])
        assert (found["n"], found["completed"], found["on_time"]) == (1, 1, expected)


def test_what_is_not_due_is_in_no_share(tmp_path: Path) -> None:
    """Due at the very clock of the run is not late yet; one that is completed early would make the newest week look better."""
    resolved = AS_OF_US - 6 * DAY  # Monday 2026-10-26 00:00 UTC, 01:00 in Berlin
    limits = {0: resolved, 1: resolved - 7 * DAY}
    told = [page(f"i{n}", at - HOUR) for n, at in limits.items()]
    early = Follow("p0", "post_mortem", "i0", completed_at=resolved + HOUR)
    found = shares(tmp_path / "both", told, [early, Follow("p1", "post_mortem", "i1")])
    assert (found["n_wanted"], found["n_not_due"], found["n"], found["completed"]) == (2, 1, 1, 0)


def test_only_severe_incidents_that_are_over_need_one(tmp_path: Path) -> None:
    """An open SEV1 and a SEV3 have no row; a post-mortem of a SEV3 is shown and is in no share."""
    told = [page("open", stamps={"resolved": None}), page("minor", severity="SEV3"), page("two", severity="SEV2")]
    with learned(tmp_path, told, [Follow("p", "post_mortem", "minor", completed_at=T0 + DAY)]) as warehouse:
        found = rows(
            warehouse,
            """SELECT i.external_id AS id, f.external_id, is_wanted
            FROM mart.follow_ups AS f JOIN mart.incidents AS i USING (incident_id) ORDER BY ALL""",
        )
    assert [tuple(row.values()) for row in found] == [("minor", "p", False), ("two", None, True)]


def test_without_any_post_mortem_there_is_no_share(tmp_path: Path) -> None:
    """Nobody knows whether there are none or where they are: 0 % would be an accusation."""
    found = shares(tmp_path, [page()], [Follow("a", "action", "i", created_at=T0)])
    assert (found["n"], found["completed"], found["completion_pct"], found["on_time_pct"]) == (1, None, None, None)
    assert (found["actions"], found["tested"]) == (1, None)


def test_one_post_mortem_of_ten_incidents_is_that_of_each(tmp_path: Path) -> None:
    """It names ten, and each of them is learned from; none of them is joined to another."""
    told = [page(f"i{n}", T0 + n * HOUR) for n in range(10)]
    found = shares(tmp_path, told, [Follow("p", "post_mortem", f"i{n}", completed_at=T0 + 2 * DAY) for n in range(10)])
    assert (found["n"], found["completed"], found["completion_pct"]) == (10, 10, 100.0)


def test_a_post_mortem_is_of_the_episode_before_it(tmp_path: Path) -> None:
    """A record that was reopened weeks later is two incidents: what was written after the first is not about the second."""
    first = page("i", T0)
    second = replace(
        first, rec=replace(first.rec, at={"detected": T0 + 20 * DAY, "resolved": T0 + 21 * DAY}, episode=2)
    )
    for created, expected in ((T0 + DAY, [True, False]), (T0 + 22 * DAY, [False, True]), (None, [True, False])):
        folder = tmp_path / str(created)
        folder.mkdir()
        with learned(folder, [first, second], [Follow("p", "post_mortem", "i", created_at=created)]) as warehouse:
            found = rows(
                warehouse,
                "SELECT external_id IS NOT NULL AS x FROM mart.follow_ups ORDER BY resolved_at",
            )
        assert [row["x"] for row in found] == expected


@pytest.mark.parametrize(
    ("began", "gap", "expected"),
    [(30 * DAY, 30 * DAY, (1, 1)), (30 * DAY + 1, 30 * DAY + 1, (1, 0)), (30 * DAY - 1, DAY, (0, 0))],
    ids=["on the limit", "after it", "not observed long enough"],
)
def test_what_comes_back_within_thirty_days(tmp_path: Path, began: int, gap: int, expected: tuple[int, int]) -> None:
    """The limit belongs to the 30 days, and an incident younger than they are is not asked yet."""
    at = AS_OF_US - began
    told = [page("a", at, dedup_key="k"), page("b", at + gap, dedup_key="k")]
    with learned(tmp_path, told) as warehouse:
        found = by_scope(warehouse, "recurrence")["whole", "all", "all"]
    assert (found["n"], found["recurred"]) == expected


def test_the_same_key_of_another_service_is_another_thing(tmp_path: Path) -> None:
    """`disk` of Checkout and of Search share a word, and a root cause says nothing across services."""
    told = [
        page(f"i{n}", T0 + n * DAY, dedup_key="disk", category="human", service=name) for n, name in enumerate("ab")
    ]
    with learned(tmp_path, told) as warehouse:
        found = by_scope(warehouse, "recurrence")["whole", "all", "all"]
        assert (found["n"], found["recurred"]) == (2, 0)
        assert rows(warehouse, "FROM mart.repeaters") == []


def test_a_record_that_was_reopened_late_came_back(tmp_path: Path) -> None:
    """Two episodes of a record repeat, but only those with a key are asked: that it was reopened may not decide that."""
    first = page("i", T0, dedup_key="k")
    second = replace(first, rec=replace(first.rec, at={"detected": T0 + 9 * DAY, "resolved": T0 + 10 * DAY}, episode=2))
    for name, key, expected in (("with", "k", (2, 1)), ("without", None, (0, 0))):
        folder = tmp_path / name
        folder.mkdir()
        told = [replace(one, rec=replace(one.rec, dedup_key=key)) for one in (first, second)]
        with learned(folder, told) as warehouse:
            found = by_scope(warehouse, "recurrence")["whole", "all", "all"]
            (worst,) = rows(warehouse, "FROM mart.repeaters WHERE window_start IS NULL")
        assert (found["n"], found["recurred"]) == expected
        assert (worst["kind"], worst["incidents"]) == ("dedup key" if key else "episode", 2)
        assert worst["minutes"] == pytest.approx(60 + 24 * 60)


def test_an_alert_names_the_rule_and_a_page_for_an_incident_none(tmp_path: Path) -> None:
    """Numbers and ids differ from alert to alert of a rule; a ticket alone has no rule and is no alert."""
    titles = [
        "CPU 93% on web-12",
        "CPU 7.5%  on web-3",
        "job 0f8fad5b-d9cb-469f-a165-70867728950e failed",
        "job 1a2b3c4d5e6f7a8b failed",
    ]
    told = [page(f"i{n}", T0 + n, title=title) for n, title in enumerate(titles)]
    told += [page("named", T0 + 9, rule="HighCpu"), page("ticket", T0 + 10, source="jira")]
    with learned(tmp_path, told) as warehouse:
        found = rows(
            warehouse,
            "SELECT alert_rule FROM core.origins JOIN mart.incidents AS i ON i.rowid = incident_no ORDER BY i.started_at",
        )
    assert [row["alert_rule"] for row in found] == [
        "CPU #% on web-#",
        "CPU #% on web-#",
        "job # failed",
        "job # failed",
        "HighCpu",
        None,
    ]
    assert [template(title) for title in titles] == [row["alert_rule"] for row in found[:4]]


@pytest.mark.parametrize(
    ("clock", "team", "is_night"),
    [
        ("2026-10-20T20:00", None, True),  # 22:00 in Berlin
        ("2026-10-20T19:59:59", None, False),
        ("2026-10-20T05:59:59", None, True),
        ("2026-10-20T06:00", None, False),  # 08:00
        ("2026-10-28T06:00", None, True),  # 07:00, after the end of summer time
        ("2026-10-20T16:30", "Team A", True),  # 22:00 in Kolkata
        ("2026-10-20T16:29:59", "Team A", False),
    ],
)
def test_the_night_is_that_of_the_team(tmp_path: Path, clock: str, team: str | None, is_night: bool) -> None:
    """22 to 8 h by the clocks of those who are called, on both days of a change of the clocks."""
    with learned(tmp_path, [page(at=us(clock), team=team)]) as warehouse:
        found = by_scope(warehouse, "oncall_load")["whole", "all", "all"]
    assert (found["pages"], found["night_pages"]) == (1, int(is_night))


def test_persons_are_shown_only_where_that_is_configured(tmp_path: Path) -> None:
    """By default nobody is measured, and never by name."""
    told = [page(notified=((T0 + MINUTE, "Ana Silva"), (T0 + 2 * MINUTE, "Ana Silva")))]
    for name, file, expected in (("off", {}, set()), ("on", {"oncall": {"per_person": True}}, {2})):
        folder = tmp_path / name
        folder.mkdir()
        with learned(folder, told, file=file) as warehouse:
            found = rows(warehouse, "FROM mart.oncall_load WHERE scope = 'person' AND window_start IS NULL")
        assert {row["notifications"] for row in found} == expected
        assert "Ana" not in str(found)


def test_where_notifications_are_told_a_record_without_one_is_no_page(tmp_path: Path) -> None:
    """A low urgency incident that waits for the morning wakes nobody; a tool that tells nothing is taken by its records."""
    told = [
        page("called", notified=((T0 + 3 * MINUTE, "ana"),), stamps={"acknowledged": T0 + 5 * MINUTE}),
        page("quiet", T0 + DAY),
        page("other", T0 + DAY, source="opsgenie", stamps={"acknowledged": T0 + DAY + 10 * MINUTE}),
    ]
    with learned(tmp_path, told) as warehouse:
        found = by_scope(warehouse, "oncall_load")["whole", "all", "all"]
    assert (found["pages"], found["notifications"], found["n_by_notification"]) == (2, 1, 1)
    assert (found["acknowledgment_median_minutes"], found["n_acknowledged"]) == (6.0, 2)


def test_the_queue_of_the_unowned(tmp_path: Path) -> None:
    """Open ones of any age, and those of the last 30 days; what has an owner is not in it."""
    edge = AS_OF_US - 30 * DAY
    told = [
        page("owned", edge, team="A"),
        page("young", edge),
        page("old", edge - 1),
        page("open", T0 - 90 * DAY, stamps={"resolved": None}, service=None),
    ]
    with learned(tmp_path, told) as warehouse:
        found = rows(warehouse, "FROM mart.unowned_incidents")
    assert [(row["external_id"], row["lacks"], row["is_open"]) for row in found] == [
        ("open", "both", True),
        ("young", "team", False),
    ]


@pytest.mark.parametrize("is_clean", [True, False])
def test_findings_about_learning(tmp_path: Path, is_clean: bool) -> None:
    """What is about no incident, and what nobody can know, is counted, and only where it is so."""
    told = [page(detected_by="monitor" if is_clean else None, via="integration" if is_clean else None)]
    told = [replace(one, notified=((T0 + MINUTE, "ana"),) if is_clean else ()) for one in told]
    follow_ups = [Follow("p", "post_mortem", "i" if is_clean else "nobody's")]
    with learned(tmp_path, told, follow_ups, tables=(*TABLES, "figures.findings_learning")) as warehouse:
        found = rows(warehouse, "FROM figures.findings_learning")
    n = 0 if is_clean else 1
    assert {(row["dq_check"], row["source"], row["n"], row["total"], row["level"]) for row in found} == {
        ("follow_up_of_no_incident", "jira", n, 1, "warn"),
        ("detection_unknown", "pagerduty", n, 1, "share"),
        ("pages_without_notifications", "pagerduty", n, 1, "share"),
    }
    assert [row["examples"] for row in found if row["level"] == "warn"] == [None if is_clean else ["p"]]


def test_nothing_gives_no_rows(tmp_path: Path) -> None:
    """Without an incident there is no figure, rather than zeros."""
    with learned(tmp_path, []) as warehouse:
        for table in (
            "detection_sources",
            "ownership",
            "recurrence",
            "noise",
            "oncall_load",
            "follow_ups",
            "learning",
            "repeaters",
        ):
            assert rows(warehouse, f"FROM mart.{table}") == [], table
