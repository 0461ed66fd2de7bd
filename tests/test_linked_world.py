"""What the simulated vendors tell about records in several tools, pulled over HTTP, is what the world knows of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import duckdb
import pytest
from support_e2e import CLOUD, UNTIL, differences, mttr, scratch

from mttr_pipeline.demo import VendorServer, World
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
"""


@contextmanager
def pulled(world: World, faults: str) -> Iterator[duckdb.DuckDBPyConnection]:
    data_dir = scratch() / "data"
    with VendorServer(world, faults=faults, seed=1, limits=None) as server:
        mttr("--data-dir", data_dir, "run", "--as-of", UNTIL.isoformat(), env=server.env(*CLOUD)).ended(0)
    assert differences(data_dir, world.truth(UNTIL)) == [], "a linked record by itself is as the others"
    with duckdb.connect(str(data_dir / "work.duckdb"), read_only=True) as con:
        con.execute(load_macros("links").replace("CREATE OR REPLACE MACRO", "CREATE OR REPLACE TEMP MACRO"))
        yield con


@pytest.mark.slow
def test_the_vendors_name_what_belongs_together_and_nothing_else_but_the_traps() -> None:
    """Pulled from vendors at their worst."""
    volumes = {"pagerduty": 30, "opsgenie": 10, "opsgenie_incident": 16, "jira": 6}
    world = World(5, UNTIL, days=40, volumes=volumes, future=timedelta(hours=1), linked=0.6)
    assert {len(group) for group in world.groups} == {2, 4}, "tickets, and tickets with alerts"
    with pulled(world, "heavy") as con:
        rows = con.execute(RESOLVED).fetchall()
        copied = con.execute("SELECT external_id, count(*) FROM staging.events WHERE is_copied GROUP BY ALL").fetchall()
    named = {frozenset(((source, record), (other, target))) for source, record, _, _, other, target in rows}
    traps = {(case.tool, case.id) for case in world.cases if case.story == "linked"}
    traps -= {record for group in world.groups for record in group}
    for group in world.groups:
        pager = group[0]
        assert all(frozenset((pager, record)) in named for record in group[1:]), group
    belong = {frozenset((group[0], record)) for group in world.groups for record in group[1:]}
    assert all(pair & traps for pair in named - belong)
    assert named - belong, "no trap was set"
    assert {place for _, _, place, *_ in rows} == {
        "description",
        "remote_link",
        "note",
        "associated_alert",
        "responder_alert",
    }
    assert dict(copied).keys() >= {record for group in world.groups for tool, record in group if tool == "jira"}
    several = {(source, record) for source, record, place, text, *_ in rows if place == "description"}
    assert len(several & traps) == 3, "post-mortem, review and repeat"


def test_a_world_without_links_is_the_same_otherwise() -> None:
    """The records beside the histories change nothing of them but the notes that name tickets."""
    plain, linked = (
        World(5, UNTIL, days=30, volumes={"pagerduty": 40, "jira": 10}, linked=share) for share in (0, 0.5)
    )
    kept = [case for case in linked.cases if case.story != "linked"]
    assert plain.groups == [] and linked.groups
    assert [(case.id, case.number, case.title, case.facts[0]) for case in kept] == [
        (case.id, case.number, case.title, case.facts[0]) for case in plain.cases
    ]
    told = {(case.id, fact) for case in kept for fact in case.facts} - {
        (case.id, fact) for case in plain.cases for fact in case.facts
    }
    assert told and all(fact.text.startswith("Ticket: https://") for _, fact in told)
    assert World(5, UNTIL, days=30, volumes={"pagerduty": 40, "jira": 10}, linked=0.5).cases == linked.cases
