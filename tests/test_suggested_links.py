"""Pairs that may be one incident recorded twice: found against the definition in plain Python, and cheap in an alert storm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from mart_cases import AS_OF_US, built, fill, needed, rows
from reference_targets import MINUTE, Incident, minutes

from mttr_pipeline.warehouse.database import Warehouse

TABLES = ("mart.suggested_links", "mart.data_quality")
COMPARED, LISTED = 20, 5


@dataclass(frozen=True)
class Recorded:
    """An incident with what decides about links. `after`: microseconds after a common instant, None without detection."""

    id: str
    title: str | None
    after: int | None = 0
    service: str | None = "api"
    source: str = "pagerduty"
    external_id: str | None = None
    kind: str = "incident"
    duplicate_of: str | None = None


def links(warehouse: Warehouse, recorded: Sequence[Recorded]) -> list[dict[str, Any]]:
    """The table, built of these."""
    began = AS_OF_US - 100 * 24 * 60 * MINUTE
    fill(
        warehouse,
        [
            Incident(
                one.id,
                (
                    None,
                    None if one.after is None else began + one.after,
                    *[None] * 5,
                    began if one.after is None else None,
                ),
                service=one.service,
                source=one.source,
            )
            for one in recorded
        ],
    )
    if recorded:
        marks = ", ".join(["(?, ?, ?, ?, ?)"] * len(recorded))
        warehouse.con.execute(
            "UPDATE mart.incidents AS i SET title = g.title, external_id = g.external_id, kind = g.kind, "
            "duplicate_of = g.duplicate_of, is_counted = g.kind = 'incident' AND g.duplicate_of IS NULL "
            f"FROM (VALUES {marks}) AS g(id, title, external_id, kind, duplicate_of) "
            "WHERE i.incident_id = g.id",
            [v for one in recorded for v in (one.id, one.title, one.external_id or one.id, one.kind, one.duplicate_of)],
        )
    for model in needed(TABLES):
        warehouse.build(model)
        assert [check for check in warehouse.check(model) if not check.passed] == [], model.table
    return rows(warehouse, "FROM mart.suggested_links")


def words(title: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", title.lower()))


def expected(recorded: Sequence[Recorded]) -> list[tuple[str, str, float | None, float]]:
    """(first, other, minutes apart, similarity), most similar first."""
    counted = [
        one
        for one in recorded
        if one.kind == "incident"
        and one.duplicate_of is None
        and one.service is not None
        and one.after is not None
        and words(one.title or "")
    ]
    found = []
    for service in {one.service for one in counted}:
        ordered = sorted((one.after or 0, one.id, one) for one in counted if one.service == service)
        for place, (at, _, other) in enumerate(ordered):
            fits = []
            for back, (before, _, first) in enumerate(reversed(ordered[max(0, place - COMPARED) : place])):
                shared = words(first.title or "") & words(other.title or "")
                alike = Fraction(len(shared), len(words(first.title or "") | words(other.title or "")))
                same = (first.source, first.external_id or first.id) == (other.source, other.external_id or other.id)
                if at - before <= 10 * MINUTE and not same and alike >= Fraction(1, 2):
                    fits.append((-alike, at - before, back, before, first.id, other.id))
            found += sorted(fits)[:LISTED]
    found.sort(key=lambda fit: (fit[0], fit[1], *fit[3:]))
    return [(first, other, minutes(apart), float(-alike)) for alike, apart, _, _, first, other in found]


def told(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("incident_id", "other_incident_id", "minutes_apart", "similarity")
    return [tuple(row[name] for name in names) for row in found]


# -- cases -------------------------------------------------------------------------------------------------------------

PAIRS: dict[str, tuple[Recorded, Recorded, bool]] = {
    "two tools saw it": (
        Recorded("a", "Checkout: 5xx rate is high"),
        Recorded("b", "5XX rate high (checkout)", 4 * MINUTE, source="jira"),
        True,
    ),
    "one tool paged twice": (Recorded("a", "db down"), Recorded("b", "DB down!", 1), True),
    "at once": (Recorded("a", "db down"), Recorded("b", "db down"), True),
    "ten minutes": (Recorded("a", "db down"), Recorded("b", "db down", 10 * MINUTE), True),
    "just more than ten minutes": (Recorded("a", "db down"), Recorded("b", "db down", 10 * MINUTE + 1), False),
    "half of the words": (Recorded("a", "db down now"), Recorded("b", "db down"), True),
    "just half": (Recorded("a", "db down"), Recorded("b", "db"), True),
    "less than half": (Recorded("a", "db down now"), Recorded("b", "db up again"), False),
    "words are counted once": (Recorded("a", "db db db down"), Recorded("b", "db down down"), True),
    "signs are no words": (Recorded("a", "[FIRING:1] db_down -- !!!"), Recorded("b", "firing 1 db down"), True),
    "any alphabet": (Recorded("a", "БАЗА недоступна"), Recorded("b", "база: НЕДОСТУПНА"), True),
    "nothing but signs": (Recorded("a", "!!! ---"), Recorded("b", "!!! ---"), False),
    "empty titles": (Recorded("a", ""), Recorded("b", ""), False),
    "no titles": (Recorded("a", None), Recorded("b", None), False),
    "another service": (Recorded("a", "db down"), Recorded("b", "db down", service="web"), False),
    "no service": (Recorded("a", "db down", service=None), Recorded("b", "db down", service=None), False),
    "no detection": (Recorded("a", "db down", None), Recorded("b", "db down", None), False),
    "two episodes": (Recorded("a", "db down", external_id="R"), Recorded("b", "db down", external_id="R"), False),
    "the same id elsewhere": (
        Recorded("a", "db down", external_id="R"),
        Recorded("b", "db down", external_id="R", source="jira"),
        True,
    ),
    "merged already": (Recorded("a", "db down"), Recorded("b", "db down", duplicate_of="a"), False),
    "no incident": (Recorded("a", "db down"), Recorded("b", "db down", kind="maintenance"), False),
}


def test_cases() -> None:
    """What is a candidate and what is not: in one build, every case on a service of its own."""
    recorded = [
        replace(
            one,
            id=f"{name}/{one.id}",
            service=None if one.service is None else f"{name} {one.service}",
            external_id=one.external_id and f"{name}/{one.external_id}",
            duplicate_of=one.duplicate_of and f"{name}/{one.duplicate_of}",
        )
        for name, (first, other, _) in PAIRS.items()
        for one in (other, first)
    ]
    with built(TABLES, []) as warehouse:
        found = links(warehouse, recorded)
    assert {(row["incident_id"], row["other_incident_id"]) for row in found} == {
        (f"{name}/a", f"{name}/b") for name, (_, _, is_pair) in PAIRS.items() if is_pair
    }
    assert told(found) == expected(recorded)


def test_what_a_reader_sees() -> None:
    """Both sides with all that is needed to find them at their vendors."""
    with built(TABLES, []) as warehouse:
        (row,) = links(
            warehouse,
            [Recorded("b", "db down", MINUTE // 2, source="jira", external_id="10001"), Recorded("a", "DB is down")],
        )
        assert (row["source"], row["external_id"], row["title"]) == ("pagerduty", "a", "DB is down")
        assert (row["other_source"], row["other_external_id"], row["other_title"]) == ("jira", "10001", "db down")
        assert (row["service"], row["minutes_apart"]) == ("api", 0.5)
        assert row["similarity"] == pytest.approx(2 / 3)
        counted = rows(
            warehouse, "SELECT source, n, total, status FROM mart.data_quality WHERE dq_check = 'suggested_links'"
        )
    assert counted == [
        {"source": "jira", "n": 1, "total": 1, "status": "info"},
        {"source": "pagerduty", "n": 1, "total": 1, "status": "info"},
    ]


def test_each_incident_is_counted_once() -> None:
    """Of three alike there are three pairs, but three incidents; one that is alone is part of the total only."""
    alike = [Recorded(name, "db down", number * MINUTE) for number, name in enumerate("abc")]
    with built(TABLES, []) as warehouse:
        found = links(warehouse, [*alike, Recorded("d", "another thing")])
        counted = rows(warehouse, "SELECT n, total FROM mart.data_quality WHERE dq_check = 'suggested_links'")
    assert len(found) == 3 and counted == [{"n": 3, "total": 4}]


# -- drawn incidents ---------------------------------------------------------------------------------------------------

WORDS = ("db", "DB", "down", "\u00dcber", "\u00fcber", "5xx", "rate", "!!", "_", "latency")
STEPS = (0, 0, 1, 1, 1, MINUTE, 9 * MINUTE, 10 * MINUTE - 1, 10 * MINUTE, 10 * MINUTE + 1, 30 * MINUTE)


def story(number: int) -> list[Recorded]:
    """Incidents of one story: now and then more within ten minutes than are compared."""
    chance, at, found = Random(number), 0, []
    count = chance.choice((2, 3, 5, 8, 60))
    for place in range(count):
        at += chance.choice(STEPS[:5] if count == 60 else STEPS)
        title = " ".join(chance.choices(WORDS, k=chance.randrange(1, 5)))
        found.append(
            Recorded(
                f"{number}/{chance.randrange(100):02d}-{place}",
                None if chance.random() < 0.05 else title,
                None if chance.random() < 0.05 else at,
                chance.choice((f"api {number}",) * 5 + (f"web {number}", None)),
                chance.choice(("pagerduty", "jira")),
                f"{number}/R" if chance.random() < 0.1 else None,
                "false_alarm" if chance.random() < 0.05 else "incident",
                "another" if chance.random() < 0.05 else None,
            )
        )
    return found


def test_drawn_incidents_as_the_reference_says() -> None:
    """Ties, both limits, repeated words, everything that leaves an incident out; all stories in one build."""
    recorded = [one for number in range(200) for one in story(number)]
    with built(TABLES, []) as warehouse:
        found = told(links(warehouse, recorded))
        again = told(links(warehouse, recorded[::-1]))
    assert found == expected(recorded) == again
    similarities = {row[3] for row in found}
    assert len(found) > 1000 and min(similarities) == 0.5 and max(similarities) == 1


# -- many --------------------------------------------------------------------------------------------------------------


def test_an_alert_storm_is_a_few_rows_each() -> None:
    """5,000 alike in one minute are 12 million pairs: each is listed with the five nearest, and not compared with all."""
    count = 5_000
    with built(TABLES, []) as warehouse:
        warehouse.con.execute(
            f"""INSERT INTO mart.incidents BY NAME
            SELECT 'i' || lpad(i::VARCHAR, 5, '0') AS incident_id, i::VARCHAR AS external_id, 'pagerduty' AS source,
                'incident' AS kind, true AS is_counted,
                    'SEV3' AS severity, 'field' AS severity_source, 'detected' AS status, 1 AS episode,
                0 AS reopen_count, 'api' AS service, 'db down' AS title, false AS auto_resolved,
                false AS is_before_history, false AS is_abandoned,
                TIMESTAMP '2026-10-01' + to_microseconds(i * 12000) AS detected_at, detected_at AS started_at
            FROM range({count}) AS r(i)"""
        )
        models = needed(TABLES)
        counts = {model.table: warehouse.build(model) for model in models}
        assert counts["mart.suggested_links"] == LISTED * count - sum(range(1, LISTED + 1))
        assert [check for model in models for check in warehouse.check(model) if not check.passed] == []
        nearest = rows(warehouse, "SELECT incident_id FROM mart.suggested_links WHERE other_incident_id = 'i00077'")
    assert sorted(row["incident_id"] for row in nearest) == [f"i000{number}" for number in range(72, 77)]
