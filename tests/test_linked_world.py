"""What the simulated vendors tell about records in several tools, pulled over HTTP, is what the world knows of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import duckdb
import pytest
from support_e2e import (
    CLOUD,
    UNTIL,
    copy_of,
    differences,
    differences_alone,
    misjoined,
    mttr,
    query,
    scratch,
    shown,
)
from support_e2e import (
    world as company,
)

from mttr_pipeline.demo import VendorServer, World, deliver
from mttr_pipeline.demo.registry import TOOLS
from mttr_pipeline.warehouse.models import load_macros

# A naming with the record that it leads to, by nothing but equality of what both sides say.
RESOLVED = """
SELECT DISTINCT l.source, l.external_id, l.place, l.text_id, r.source AS other_source, r.external_id AS other_id
FROM staging.links AS l
JOIN staging.records AS r ON CASE l.target_kind
    WHEN 'id' THEN r.source = l.target_source AND r.external_id = l.target
    WHEN 'url' THEN canonical_url(r.url) = l.target
    WHEN 'key' THEN r.key = l.target
    ELSE r.dedup_key = l.target END
WHERE l.source <> r.source
UNION
SELECT l.source, l.external_id, l.place, l.text_id, o.source, o.external_id
FROM staging.links AS l
JOIN staging.links AS o ON o.target_kind = 'dedup' AND l.target_kind = 'dedup' AND o.target = l.target AND o.source <> l.source
"""


DAY = timedelta(days=1)
VOLUMES = {"pagerduty": 40, "opsgenie": 12, "opsgenie_incident": 30, "jsm": 6, "jira": 10, "alertmanager": 0}


@dataclass(frozen=True)
class Nights:
    """A linked world, and the data directory after each of two nights of pulls."""

    world: World
    first: Path
    second: Path


@pytest.fixture(scope="module")
def nights() -> Nights:
    """Pulled from vendors at their worst, and received from those that only send."""
    data_dir, first = scratch() / "data", scratch() / "first"
    world = World(5, UNTIL, days=40, volumes=VOLUMES, future=2 * DAY, linked=0.8)
    deliver(world, data_dir / "inbox", UNTIL)
    with VendorServer(world, faults="heavy", seed=1, limits=None) as server:
        mttr("--data-dir", data_dir, "run", "--as-of", UNTIL.isoformat(), env=server.env(*CLOUD)).ended(0)
        copy_of(data_dir, first)
        server.now = UNTIL + DAY
        deliver(world, data_dir / "inbox", server.now, UNTIL)
        mttr("--data-dir", data_dir, "run", "--as-of", server.now.isoformat(), env=server.env(*CLOUD)).ended(0)
    return Nights(world, first, data_dir)


def page_key(world: World, record: tuple[str, str]) -> str:
    """The key by which a pager knows a record, or the group of an alert."""
    key, tool = world.by_id[record].key, TOOLS[record[0]]
    return tool.page_key(key) if tool.page_key else key


def together(pair: frozenset[tuple[str, str]], groups: list[tuple[tuple[str, str], ...]]) -> bool:
    return any(pair <= {*group} for group in groups)


def connected(first: tuple[str, str], pairs: set[frozenset[tuple[str, str]]]) -> set[tuple[str, str]]:
    found, size = {first}, 0
    while len(found) > size:
        size = len(found)
        found |= {record for pair in pairs if pair & found for record in pair}
    return found


def counted(data_dir: Path) -> int:
    return int(query(data_dir, "SELECT count(*) FROM incidents")[0][0])


@pytest.mark.slow
def test_each_real_incident_is_counted_once_and_none_is_made_of_two(nights: Nights) -> None:
    """On both nights every incident is made of the truth's records, has the truth's stamps, each from the source that knows."""
    for data_dir, now in ((nights.first, UNTIL), (nights.second, UNTIL + DAY)):
        assert misjoined(data_dir, nights.world.incidents(now)) == []
        assert differences(data_dir, shown(nights.world, now)) == []
        assert differences_alone(data_dir, nights.world.truth(now)) == [], "a linked record by itself is as the others"
        records = query(data_dir, "SELECT count(*), count(DISTINCT incident_id) FROM records")
        groups = query(data_dir, "SELECT sum(n - 1) FROM (SELECT count(*) AS n FROM records GROUP BY incident_id)")
        assert records == [(counted(data_dir) + groups[0][0], counted(data_dir))]


@pytest.mark.slow
def test_the_second_night_joins_what_is_linked_late_and_both_ids_lead_to_it(nights: Nights) -> None:
    """A person links a ticket to yesterday's incident: what was two is one, and neither address breaks."""
    late = {
        group[1]
        for group in nights.world.groups_at(UNTIL + DAY)
        if not any(group[1] in g for g in nights.world.groups_at(UNTIL))
    }
    created = {record for record in late if nights.world.by_id[record].created < UNTIL}
    assert created, "no link of this world comes late"
    for tool, record in created:
        (before,) = query(
            nights.first,
            "SELECT incident_id, record_id FROM records WHERE (source, external_id) = (?, ?)",
            [tool, record],
        )
        (after,) = query(
            nights.second,
            "SELECT incident_id, record_id FROM records WHERE (source, external_id) = (?, ?)",
            [tool, record],
        )
        assert before[0] == before[1] == after[1] and after[0] != after[1]
        assert query(nights.first, "SELECT count(*) FROM incidents WHERE incident_id IN (?, ?)", [*after]) == [(2,)]
        assert query(nights.second, "SELECT count(*) FROM incidents WHERE incident_id IN (?, ?)", [*after]) == [(1,)]


@pytest.mark.slow
def test_a_rebuild_from_nothing_joins_the_same_records(nights: Nights, tmp_path: Path) -> None:
    """Both nights at once, without a trace of what the first one joined."""
    data_dir = copy_of(nights.second, tmp_path / "data")
    for path in data_dir.glob("work*.duckdb*"):
        path.unlink()
    mttr("--data-dir", data_dir, "rebuild", "--as-of", (UNTIL + DAY).isoformat()).ended(0)
    columns = "record_id, incident_id, role, link_reason"
    assert query(data_dir, f"SELECT {columns} FROM records") == query(nights.second, f"SELECT {columns} FROM records")


@pytest.mark.slow
def test_people_fill_tickets_in_and_integrations_do_not(nights: Nights) -> None:
    """What this world must have, or the comparison with the truth would show nothing: stamps of several tools in one incident."""
    found = [one for one in nights.world.incidents(UNTIL + DAY) if len(set(one.sources.values())) > 1]
    assert {stamp for one in found for stamp, source in one.sources.items() if source == "jira"} == {
        "occurred_at",
        "closed_at",
    }
    assert any(one.row.affected_users and one.row.source == "pagerduty" for one in found)
    assert {len(one.records) for one in nights.world.incidents(UNTIL)} >= {1, 2, 3, 4, 5}
    assert {stamp for one in nights.world.incidents(UNTIL) for stamp, *_ in one.conflicts} >= {
        "detected_at",
        "occurred_at",
    }
    assert {reason for (reason,) in query(nights.second, "SELECT DISTINCT link_reason FROM records")} >= {
        "vendor",
        "url",
        "text",
        "dedup",
    }


@pytest.mark.slow
def test_the_vendors_name_what_belongs_together_and_nothing_else_but_the_traps(nights: Nights) -> None:
    """Namings, before any guard."""
    world = nights.world
    with duckdb.connect(str(nights.second / "work.duckdb"), read_only=True) as con:
        con.execute(load_macros("links").replace("CREATE OR REPLACE MACRO", "CREATE OR REPLACE TEMP MACRO"))
        rows = con.execute(RESOLVED).fetchall()
        copied = con.execute("SELECT external_id, count(*) FROM staging.events WHERE is_copied GROUP BY ALL").fetchall()
    groups = world.groups_at(UNTIL + DAY)
    named = {frozenset(((source, record), (other, target))) for source, record, _, _, other, target in rows}
    # The key of a group comes back: what has it is named, whenever that was.
    named -= {
        pair for pair in named if len({page_key(world, record) for record in pair}) == 1 and not together(pair, groups)
    }
    traps = {(case.tool, case.id) for case in world.cases if case.story == "linked"}
    traps -= {record for group in groups for record in group}
    for group in groups:
        assert {group[0], *group[1:]} == connected(
            group[0], named & {frozenset(pair) for pair in combinations(group, 2)}
        )
    belong = {frozenset(pair) for group in groups for pair in combinations(group, 2)}
    assert all(pair & traps for pair in named - belong)
    assert named - belong, "no trap was set"
    assert {place for _, _, place, *_ in rows} == {
        "description",
        "remote_link",
        "note",
        "associated_alert",
        "responder_alert",
        "group_key",
        "alert_key",
    }
    assert dict(copied).keys() >= {record for group in groups for tool, record in group if tool == "jira"}
    several = {(source, record) for source, record, place, text, *_ in rows if place == "description"}
    assert len(several & traps) == 3, "post-mortem, review and repeat"


def test_a_third_of_the_serious_incidents_of_the_demo_are_in_a_pager_a_ticket_and_a_monitor_at_once() -> None:
    """And there is what must not be taken for one of them: a key that comes back, with a page and without one."""
    incidents = company().incidents()
    roles = [
        {TOOLS[tool].is_desk * 1 + bool(TOOLS[tool].group_key) * 2 for tool, *_ in one.records} for one in incidents
    ]
    serious = [place for place, one in enumerate(incidents) if one.row.severity in ("SEV1", "SEV2")]
    everywhere = [place for place in serious if roles[place] == {0, 1, 2}]
    assert 0.3 < len(everywhere) / len(serious) < 0.4
    assert {incidents[place].row.tool for place in everywhere} >= {"pagerduty", "opsgenie"}
    assert any(one.conflicts for one in incidents)
    assert [one.row.tool for one, where in zip(incidents, roles, strict=True) if 2 in where and 0 not in where] == [
        "alertmanager"
    ]
    keys = Counter(page_key(company(), name) for name in company().by_id)
    assert max(keys.values()) >= 4, "the alert and its page, both again, and the alert alone"


def test_a_world_without_links_is_the_same_otherwise() -> None:
    """The records beside the histories change nothing of them but the notes that name tickets."""
    plain, linked = (
        World(5, UNTIL, days=30, volumes={"pagerduty": 40, "jira": 10}, linked=share) for share in (0, 0.5)
    )
    kept = [case for case in linked.cases if case.story != "linked"]
    assert plain.groups == [] and linked.groups
    assert {one.row for one in plain.incidents()} == {
        row for row in plain.truth() if not (row.deleted or row.duplicate_of or row.flap_of)
    }
    alive = sorted((row.source, row.external_id, row.episode) for row in linked.truth() if not row.deleted)
    assert alive == sorted(record for one in linked.incidents() for record in one.records), (
        "each record in one incident"
    )
    assert [(case.id, case.number, case.title, case.facts[0]) for case in kept] == [
        (case.id, case.number, case.title, case.facts[0]) for case in plain.cases
    ]
    told = {(case.id, fact) for case in kept for fact in case.facts} - {
        (case.id, fact) for case in plain.cases for fact in case.facts
    }
    assert told and all(fact.text.startswith("Ticket: https://") for _, fact in told)
    assert World(5, UNTIL, days=30, volumes={"pagerduty": 40, "jira": 10}, linked=0.5).cases == linked.cases
