"""Nights in which records are linked late and links go away: what is one incident is the same, however the records came in."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support import AS_OF_US, build_all, iso, land, land_custom, open_warehouse, rows

from mttr_pipeline.landing.store import Landing
from mttr_pipeline.warehouse.database import Warehouse

MINUTE = 60_000_000
T0 = AS_OF_US - 30 * 24 * 60 * MINUTE
TABLES = (
    "core.incidents",
    "mart.records",
    "mart.links",
    "core.incident_sources",
    "core.incident_conflicts",
    "mart.correlation",
)
COUNT, NIGHTS = 14, 4


def custom_record(place: int, night: int, named: str | None) -> dict[str, Any]:
    began = T0 + place * 40 * MINUTE
    note = [{"event_type": "note", "at": iso(began + MINUTE), "notes": f"see {named}"}] if named else []
    return {
        "external_id": f"C{place}",
        "title": f"outage {place}",
        "url": f"https://c.example/incidents/C{place}",
        "detected_at": iso(began),
        "resolved_at": iso(began + (20 + night) * MINUTE),
        "updated_at": iso(began + night * 60 * MINUTE),
        "timeline": note,
    }


def issue(place: int, night: int, named: str | None) -> dict[str, Any]:
    began = T0 + place * 40 * MINUTE + 5 * MINUTE
    return {
        "id": str(100 + place),
        "key": f"OPS-{place + 1}",
        "self": f"https://j.example/rest/api/2/issue/{100 + place}",
        "fields": {
            "summary": f"ticket {place}",
            "project": {"key": "OPS"},
            "priority": {"name": "Major"},
            "status": {"id": "1", "name": "Open", "statusCategory": {"key": "new"}},
            "created": iso(began),
            "updated": iso(began + night * 60 * MINUTE),
            "description": f"about {named}" if named else "",
        },
        "changelog": {"total": 0, "histories": []},
    }


def arrivals(seed: int) -> list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Of each night the custom records and the issues that changed; later ones name other records, or none any more."""
    luck = random.Random(seed)
    nights = []
    for night in range(NIGHTS):
        changed = [place for place in range(COUNT) if not night or luck.random() < 0.5]
        customs = [custom_record(p, night, luck.choice((None, f"OPS-{luck.randrange(COUNT) + 1}"))) for p in changed]
        pages = [None, *(f"https://c.example/incidents/C{luck.randrange(COUNT)}" for _ in range(2))]
        issues = [issue(p, night, luck.choice(pages)) for p in range(COUNT) if not night or luck.random() < 0.5]
        nights.append((customs, issues))
    return nights


def landed(landing: Landing, night: int, customs: list[dict[str, Any]], issues: list[dict[str, Any]]) -> None:
    land_custom(landing, customs, f"2026010{night + 1}T000000000Z-0000")
    land(landing, "jira", {"issues": issues}, f"2026010{night + 1}T000000000Z-0000")


def told(warehouse: Warehouse) -> dict[str, list[Any]]:
    build_all(warehouse, TABLES)
    return {
        name: warehouse.con.execute(f"FROM {warehouse.catalog[name].place} ORDER BY ALL").fetchall() for name in TABLES
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_night_by_night_and_at_once_give_the_same_incidents(tmp_path: Path, seed: int) -> None:
    """Real extracts, loaded one after the other, all in one go, and again from nothing; and every old id leads to an incident."""
    nights = arrivals(seed)
    landing = Landing(tmp_path / "nights" / "landing")
    ever: set[str] = set()
    joined: list[set[frozenset[str]]] = []
    for night, (customs, issues) in enumerate(nights):
        landed(landing, night, customs, issues)
        warehouse = open_warehouse(tmp_path / "nights", after_nothing=True)
        try:
            warehouse.load(landing)
            by_night = told(warehouse)
            found = rows(warehouse.con, "SELECT record_id, incident_id FROM mart.records")
        finally:
            warehouse.close()
        ever |= {row["incident_id"] for row in found}
        assert ever <= {row["record_id"] for row in found}, "an id of an earlier night leads nowhere"
        groups: dict[str, set[str]] = {}
        for row in found:
            groups.setdefault(row["incident_id"], set()).add(row["record_id"])
        joined.append({frozenset(group) for group in groups.values() if len(group) > 1})
    before_after = list(pairwise(joined))
    assert any(not any(group <= other for other in after) for before, after in before_after for group in before), (
        "no split"
    )
    assert any(after - before for before, after in before_after), "no late link"

    with_all = Landing(tmp_path / "once" / "landing")
    for night, (customs, issues) in enumerate(nights):
        landed(with_all, night, customs, issues)
    warehouse = open_warehouse(tmp_path / "once", after_nothing=True)
    try:
        warehouse.load(with_all)
        at_once = told(warehouse)
    finally:
        warehouse.close()
    warehouse = open_warehouse(tmp_path / "nights")
    try:
        warehouse.start_over()
        warehouse.load(landing)
        rebuilt = told(warehouse)
    finally:
        warehouse.close()
    for name in TABLES:
        assert by_night[name] == at_once[name] == rebuilt[name], name
