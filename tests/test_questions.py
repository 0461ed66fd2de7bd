"""docs/questions.md: every query of the page runs on a published file and finds something, and many answers are calculated again in
plain Python from the records that went in."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from delivery_cases import Dep
from delivery_worlds import build_with
from learned_worlds import EVERYTHING, company
from support import AS_OF_US, instant, iso, land_custom, open_warehouse, rows
from support_e2e import REPOSITORY

from mttr_pipeline.landing.store import Landing
from mttr_pipeline.publish import publish

PAGE = (REPOSITORY / "docs" / "questions.md").read_text(encoding="utf-8")
QUESTIONS = {
    int(number): (title, query)
    for number, title, query in re.findall(r"^## (\d+)\. (.*?)$.*?^```sql\n(.*?)^```", PAGE, re.M | re.S)
}
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
ZONE = ZoneInfo("America/New_York")
LIMIT = 168 * HOUR
Record = dict[str, Any]


def history() -> list[Record]:
    """200 incidents of five months as they went in, with microseconds instead of texts. None has a resolve before its detection."""
    chance = random.Random(20261129)
    found: list[Record] = []
    for n in range(200):
        at = AS_OF_US - chance.randrange(150 * DAY) - MINUTE
        took = int(chance.lognormvariate(4.5, 1.5) * MINUTE)
        record: Record = {
            "external_id": str(n),
            "title": f"incident {n}",
            "severity": f"SEV{chance.randint(1, 4)}",
            "detected": at,
        }
        if chance.random() < 0.85:
            record["acknowledged"] = at + int(took * chance.random() / 4)
        if chance.random() < 0.8:
            record["mitigated"] = at + took // 2
        if chance.random() < 0.93:
            record["resolved"] = at + took
        if chance.random() < 0.9:
            record |= {"service": chance.choice(("api", "web", "db")), "team": chance.choice(("red", "blue"))}
        found.append({name: value for name, value in record.items() if not isinstance(value, int) or value < AS_OF_US})
    for n in range(3):  # outliers
        at = AS_OF_US - (40 + n) * DAY
        found.append(
            {"external_id": f"long {n}", "service": "web", "severity": "SEV4", "detected": at, "resolved": at + 9 * DAY}
        )
    at = AS_OF_US - 32 * DAY
    found.append({"external_id": "over", "title": "over", "severity": "SEV2", "detected": at, "resolved": at + 3 * DAY})
    return found


def others() -> list[Record]:
    """What does not count, and what was reopened, soon and late."""
    at = AS_OF_US - 20 * DAY
    told = (("detected", 0), ("resolved", HOUR), ("reopened", 2 * HOUR), ("resolved", 5 * HOUR))
    late = (("detected", 0), ("resolved", HOUR), ("reopened", 50 * HOUR), ("resolved", 51 * HOUR))
    return [
        {"external_id": "alarm", "kind": "false_alarm", "detected_at": iso(at), "resolved_at": iso(at + 90 * DAY)},
        {"external_id": "twice", "duplicate_of": "1", "detected_at": iso(AS_OF_US - MINUTE)},
        {
            "external_id": "again",
            "title": "again",
            "timeline": [{"event_type": name, "at": iso(at + us)} for name, us in told],
        },
        {
            "external_id": "late",
            "title": "late",
            "timeline": [{"event_type": name, "at": iso(at + us)} for name, us in late],
        },
    ]


def as_record(one: Record) -> Record:
    return {
        f"{name}_at" if isinstance(value, int) else name: iso(value) if isinstance(value, int) else value
        for name, value in one.items()
    }


def counted() -> list[Record]:
    """The incidents that count, the reopened ones and later episodes among them."""
    at = AS_OF_US - 20 * DAY
    more = [(0, 5 * HOUR), (0, HOUR), (50 * HOUR, 51 * HOUR)]
    return history() + [
        {"title": "again", "severity": "SEV3", "detected": at + start, "resolved": at + end} for start, end in more
    ]


def deploys() -> list[Dep]:
    """Deploys of three services: at any time, and shortly before some incidents. Every version is new, so none is a rollback."""
    chance = random.Random(11)
    at = [AS_OF_US - chance.randrange(150 * DAY) for _ in range(80)]
    at += [one["detected"] - chance.randrange(1, 90) * MINUTE for one in history()[:90]]
    return [
        Dep("custom", f"d{n}", service=chance.choice(("api", "web", "db")), version=str(n), finished_at=us)
        for n, us in enumerate(sorted(at))
    ]


def causes() -> dict[str, Dep]:
    """Title of an incident -> the latest deploy of its service in the hour before it."""
    found = {}
    for one in counted():
        before = [d for d in deploys() if d.service == one.get("service") and 0 <= one["detected"] - at(d) <= HOUR]
        if before:
            found[one.get("title", one.get("external_id"))] = max(before, key=at)
    return found


def at(deploy: Dep) -> int:
    assert deploy.finished_at is not None
    return deploy.finished_at


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, read-only, in a session of another time zone than the reports have."""
    folder = tmp_path_factory.mktemp("questions")
    landing = Landing(folder / "landing")
    land_custom(landing, [*map(as_record, history()), *others()])
    warehouse = open_warehouse(folder, {"reporting_time_zone": ZONE.key}, after_nothing=True)
    try:
        warehouse.load(landing)
        build_with(warehouse, deploys())
        path = publish(warehouse, folder / "published", "run-1").folder / "mttr.duckdb"
    finally:
        warehouse.close()
    with duckdb.connect(str(path), read_only=True) as found:
        found.execute("SET TimeZone = 'Asia/Kathmandu'")
        yield found


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file of a company with an error tracker, post-mortems, alert rules and pages."""
    folder = tmp_path_factory.mktemp("learned")
    with company(folder, EVERYTHING) as warehouse:
        path = publish(warehouse, folder / "published", "run-1").folder / "mttr.duckdb"
    with duckdb.connect(str(path), read_only=True) as found:
        yield found


def test_the_page_has_thirty_five_questions() -> None:
    assert list(QUESTIONS) == list(range(1, 36))
    assert len(re.findall("```sql", PAGE)) == 35


@pytest.mark.parametrize("number", QUESTIONS, ids=lambda number: QUESTIONS[number][0])
def test_every_question_has_an_answer(request: pytest.FixtureRequest, number: int) -> None:
    """A query that runs and finds nothing would pass for good news."""
    assert rows(request.getfixturevalue("con" if number < 26 else "learned"), QUESTIONS[number][1])


def took(one: Record) -> int:
    return int(one["resolved"] - one["detected"])


def analysed() -> list[Record]:
    return [one for one in counted() if "resolved" in one and took(one) <= LIMIT]


def grouped(records: list[Record], key: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    found = defaultdict(list)
    for one in records:
        found[key(one)].append(one)
    return dict(sorted(found.items()))


def local(us: int) -> datetime:
    return instant(us).astimezone(ZONE)


def month(us: int) -> date:
    return local(us).date().replace(day=1)


def answer(con: duckdb.DuckDBPyConnection, number: int) -> list[Record]:
    return rows(con, QUESTIONS[number][1])


def test_percentile_per_service(con: duckdb.DuckDBPyConnection) -> None:
    expected = {}
    for service, them in grouped(analysed(), lambda one: one.get("service", "unknown")).items():
        ordered, place = sorted(map(took, them)), (len(them) - 1) * 0.85
        low = ordered[int(place)]
        if len(them) >= 10:
            expected[service] = (len(them), (low + (ordered[int(place) + 1] - low) * (place % 1)) / 6e7)
    assert len(expected) == 4
    found = {row["service"]: (row["n"], row["p85_minutes"]) for row in answer(con, 2)}
    assert found == {service: (n, pytest.approx(p85)) for service, (n, p85) in expected.items()}


def test_months_of_detection_and_of_resolve(con: duckdb.DuckDBPyConnection) -> None:
    """The two differ, because some incidents last over the end of a month; both are months in New York."""
    detected = grouped(counted(), lambda one: month(one["detected"]))
    assert [(row["window_start"], row["incidents_matched"]) for row in answer(con, 3)] == [
        (start, len(them)) for start, them in detected.items()
    ]
    resolved = grouped(analysed(), lambda one: month(one["resolved"]))
    found = answer(con, 4)
    assert [(row["resolved_month_date"], row["n"], row["mean_minutes"]) for row in found] == [
        (start, len(them), sum(map(took, them)) / len(them) / 6e7) for start, them in resolved.items()
    ]
    assert [row["median_minutes"] for row in found] == [
        pytest.approx(median(map(took, them)) / 6e7) for them in resolved.values()
    ]
    by_start = grouped(analysed(), lambda one: month(one["detected"]))
    assert [len(them) for them in by_start.values()] != [row["n"] for row in found]


def test_two_dimensions(con: duckdb.DuckDBPyConnection) -> None:
    pairs = grouped(analysed(), lambda one: (one.get("service", "unknown"), one["severity"]))
    assert {(row["service"], row["severity"]): (row["n"], row["mean_minutes"]) for row in answer(con, 5)} == {
        pair: (len(them), sum(map(took, them)) / (len(them) * 6e7)) for pair, them in pairs.items()
    }
    months = grouped(counted(), lambda one: (month(one["detected"]), one.get("team", "unknown")))
    found = answer(con, 6)
    assert {
        (row["window_start"], row["team"]): row["incidents_matched"] for row in found if row["incidents_matched"]
    } == {pair: len(them) for pair, them in months.items()}
    assert len(found) == len({row["window_start"] for row in found}) * 3


def test_weekdays_and_hours_of_the_reporting_zone(con: duckdb.DuckDBPyConnection) -> None:
    """Neither those of UTC nor those of the session."""
    weekdays = grouped(counted(), lambda one: local(one["detected"]).isoweekday())
    assert {row["started_weekday"]: row["incidents"] for row in answer(con, 7)} == {
        day: len(them) for day, them in weekdays.items()
    }
    hours = grouped(counted(), lambda one: local(one["detected"]).hour)
    assert {row["started_hour"]: (row["incidents"], row["severe"]) for row in answer(con, 8)} == {
        hour: (len(them), sum(one["severity"] in ("SEV1", "SEV2") for one in them)) for hour, them in hours.items()
    }


def test_open_reopened_and_back_again(con: duckdb.DuckDBPyConnection) -> None:
    still = sorted(
        (one for one in counted() if "resolved" not in one and "mitigated" not in one), key=lambda one: one["detected"]
    )
    mitigated = [one for one in counted() if "resolved" not in one and "mitigated" in one]
    assert still and mitigated
    expected = sorted([*still, *mitigated], key=lambda one: one["detected"])
    assert [(row["title"], row["open_minutes"]) for row in answer(con, 9)] == [
        (one["title"], (AS_OF_US - one["detected"]) / 6e7) for one in expected
    ]
    assert [
        (row["title"], row["reopen_count"], row["resolve_minutes"], row["minutes_after_first_resolve"])
        for row in answer(con, 10)
    ] == [("again", 1, 300.0, 240.0)]
    assert [(row["title"], row["episode"]) for row in answer(con, 11)] == [("late", 2)]


def test_longest_acknowledgement_and_share_in_time(con: duckdb.DuckDBPyConnection) -> None:
    teams = grouped(counted(), lambda one: one.get("team", "unknown"))
    longest, in_time = {}, {}
    for team, them in teams.items():
        waited = [(one["acknowledged"] - one["detected"], one["title"]) for one in them if "acknowledged" in one]
        longest[team] = (len(waited), max(waited)[0] / 6e7, max(waited)[1])
        quick = sum(us <= 5 * MINUTE for us, _ in waited)
        in_time[team] = (len(them), quick, 100 * quick / len(them))
    found = answer(con, 12)
    assert {row["team"]: (row["acknowledged"], row["longest_minutes"], row["title"]) for row in found} == longest
    assert {row["team"]: (row["n"], row["in_time"], row["in_time_pct"]) for row in answer(con, 13)} == in_time


def test_what_is_left_out_and_who_is_late(con: duckdb.DuckDBPyConnection) -> None:
    done = [one for one in counted() if "resolved" in one]
    (web,) = [row for row in answer(con, 14) if row["service"] == "web"]
    hidden = [one for one in done if one.get("service") == "web" and took(one) > LIMIT]
    assert (web["outliers"], web["longest_days"]) == (len(hidden), max(map(took, hidden)) / DAY)
    assert web["share_of_all_minutes"] == pytest.approx(sum(map(took, hidden)) / sum(map(took, done)))
    left_out = {row["population"]: row["incidents"] for row in answer(con, 15) if row["calculation_type"] == "basic"}
    assert left_out == {"open": len(counted()) - len(done), "outlier": len(done) - len(analysed())}
    due = [one for one in counted() if "resolved" in one or AS_OF_US - one["detected"] > 4 * HOUR]
    assert {row["severity"]: (row["n"], row["in_time"]) for row in answer(con, 16)} == {
        severity: (len(them), sum("resolved" in one and took(one) <= 4 * HOUR for one in them))
        for severity, them in grouped(due, lambda one: one["severity"]).items()
    }


def test_minutes_and_backlog(con: duckdb.DuckDBPyConnection) -> None:
    done = grouped([one for one in counted() if "resolved" in one], lambda one: one.get("service", "unknown"))
    found = answer(con, 17)
    assert {row["service"]: row["minutes"] for row in found} == {
        service: pytest.approx(sum(map(took, them)) / 6e7) for service, them in done.items()
    }
    assert found[-1]["running_share"] == pytest.approx(1)
    backlog = answer(con, 18)
    assert len(backlog) == 30
    for back, row in enumerate(reversed(backlog)):
        midnight = AS_OF_US - back * DAY
        expected = sum(one["detected"] < midnight <= one.get("resolved", midnight) for one in counted())
        assert row["open_incidents"] == expected, row


def test_the_longest_incident_is_told_in_order(con: duckdb.DuckDBPyConnection) -> None:
    longest = max((one for one in counted() if "resolved" in one), key=took)
    stamps = sorted((us, name) for name, us in longest.items() if isinstance(us, int))
    told = [(round(row["at"].timestamp() * 1e6), row["event_type"]) for row in answer(con, 20)]
    assert told == stamps and len(told) > 2


def test_deploys_before_incidents_and_those_that_failed(con: duckdb.DuckDBPyConnection) -> None:
    linked = causes()
    found = answer(con, 21)
    assert {row["title"]: (row["version"], row["method"]) for row in found if row["title"]} == {
        title: (deploy.version, "window") for title, deploy in linked.items() if not title.startswith("long")
    }
    failed = {deploy.external_id for deploy in linked.values()}
    assert len(failed) > 20
    services = grouped([{"service": d.service, "id": d.external_id} for d in deploys()], lambda one: one["service"])
    assert {row["service"]: (row["deploys"], row["failed_deploys"]) for row in answer(con, 22)} == {
        service: (len(them), sum(one["id"] in failed for one in them)) for service, them in services.items()
    }
    days = grouped(
        [{"day": instant(at(d)).isoweekday(), "id": d.external_id} for d in deploys()], lambda one: one["day"]
    )
    assert {row["weekday"]: (row["deploys"], row["failed"]) for row in answer(con, 23)} == {
        day: (len(them), sum(one["id"] in failed for one in them)) for day, them in days.items()
    }


def test_deploys_of_other_services_and_durations_with_a_deploy(con: duckdb.DuckDBPyConnection) -> None:
    linked = causes()
    alone = [one for one in counted() if one.get("title") not in linked and one.get("external_id") not in linked]
    expected = sorted(
        (one["title"], deploy.version)
        for one in alone
        for deploy in deploys()
        if "service" in one and deploy.service != one["service"] and 0 <= one["detected"] - at(deploy) <= HOUR
    )
    assert expected and sorted((row["title"], row["version"]) for row in answer(con, 24)) == expected
    with_service = [one for one in counted() if "service" in one]
    sides = grouped(with_service, lambda one: one.get("title", one.get("external_id")) in linked)
    found = {row["has_deploy"]: row for row in answer(con, 25)}
    assert found.keys() == sides.keys() == {False, True}
    for side, them in sides.items():
        resolved = [took(one) / 6e7 for one in them if "resolved" in one]
        assert (found[side]["incidents"], found[side]["resolved"]) == (len(them), len(resolved))
        assert found[side]["median_minutes"] == pytest.approx(median(resolved))


def test_errors_fixes_and_releases(learned: duckdb.DuckDBPyConnection) -> None:
    issues = {issue.external_id: issue for issue in EVERYTHING.tracked.issues}
    classes = {"new": ["new"], "spike": ["spike"], "regression": ["again"], "ongoing": ["old", "cause", "near", "back"]}
    assert {row["class"]: (row["issues"], row["most_users"], row["without_users"]) for row in answer(learned, 26)} == {
        name: (len(them), max(issues[n].users or 0 for n in them) or None, sum(issues[n].users is None for n in them))
        for name, them in classes.items()
    }
    assert [(row["external_id"], row["service"]) for row in answer(learned, 27)] == [("new", None)]
    assert [(row["key"], row["fix_method"], row["version"]) for row in answer(learned, 28)] == [
        ("SHOP-back", "release", "2.2")
    ]
    found = answer(learned, 29)
    assert [(row["version"], row["verdict"]) for row in found] == [("2.0", "worse"), ("2.1", "better")]
    assert [row["crash_ratio"] for row in found] == [pytest.approx(0.04 / 0.001), pytest.approx(0.002 / 0.04)]


def test_post_mortems_repeaters_noise_and_nights(learned: duckdb.DuckDBPyConnection) -> None:
    assert {row["team"]: (row["due"], row["overdue"]) for row in answer(learned, 30)} == {"blue": (1, 1), "red": (1, 0)}
    (severe,) = answer(learned, 31)
    assert (severe["severity"], severe["post_mortems"]) == ("SEV1", 1)
    assert severe["median_days"] == pytest.approx(
        28 - 24 - 1200 / 1440
    )  # made after 28 days, over after 1200 min, done after 24
    disks = [one for one in EVERYTHING.incidents if one["external_id"].startswith("disk")]
    (worst,) = answer(learned, 32)
    assert (worst["kind"], worst["repeat_key"], worst["incidents"]) == ("root cause", "disk", len(disks))
    noisy = [alert for alert in EVERYTHING.alerts if alert.auto_resolved]
    (rule,) = answer(learned, 33)
    assert (rule["rule"], rule["n"], rule["noise"], rule["noise_pages"]) == (
        "Disk full on a host",
        40,
        len(noisy),
        len(noisy),
    )
    assert [(row["service"], row["by_customers"], row["n_known"]) for row in answer(learned, 34)] == [("shop", 1, 42)]
    nights: dict[str, list[bool]] = defaultdict(list)
    for one in EVERYTHING.incidents:
        hour = datetime.fromisoformat(one["detected_at"]).hour
        nights[one.get("team", "unknown")].append(hour >= 22 or hour < 8)
    assert {row["team"]: (row["pages"], row["night_pages"]) for row in answer(learned, 35)} == {
        team: (len(them), sum(them)) for team, them in nights.items()
    }
