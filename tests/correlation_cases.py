"""Records as they stand alone and the links between them, put straight into the tables that correlation reads; and a plain
reference of which records are one incident and what it says.

How vendors' records become rows of `core.standalone` and of `staging.links` is tested elsewhere.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
from support import AS_OF, AS_OF_US, copy_database, empty, settings_for

from mttr_pipeline.config.decisions import Decision, Decisions
from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import Warehouse

MINUTE, HOUR = 60_000_000, 3_600_000_000
DAY = 24 * HOUR
STAMPS = (
    *("occurred", "detected", "acknowledged", "investigating"),
    *("root_cause_found", "mitigated", "resolved", "closed"),
)
ROLES = {"pagerduty": "pager", "opsgenie": "pager", "opsgenie_incident": "pager", "jira": "ticket", "custom": "ticket"}
ROLES |= {"alertmanager": "machine alert", "sentry": "machine alert", "slack": "channel"}
ORDER = ("pager", "ticket", "machine alert", "channel")
TABLES = (
    *("core.links", "core.groups", "core.members", "core.evidence", "core.golden", "core.incidents"),
    *("core.incident_sources", "mart.records", "mart.links", "core.incident_conflicts", "mart.correlation"),
)


@dataclass(frozen=True)
class Rec:
    """A record and episode. `at` are its stamps in microseconds, `via` their provenance where it is not api."""

    source: str
    id: str
    at: dict[str, int]
    episode: int = 1
    kind: str = "incident"
    severity: str = "SEV3"
    severity_source: str = "default"
    via: dict[str, str] = field(default_factory=dict)
    copied: tuple[str, ...] = ()
    acknowledged_by: str | None = None
    key: str | None = None
    dedup_key: str | None = None
    service: str | None = None
    title: str | None = None
    users: int | None = None
    team: str | None = None
    revenue: float | None = None
    category: str | None = None
    flap_of: str | None = None
    duplicate_of: str | None = None

    @property
    def name(self) -> tuple[str, str]:
        return self.source, self.id

    @property
    def node(self) -> tuple[str, str, int]:
        return self.source, self.id, self.episode

    @property
    def role(self) -> str:
        return ROLES[self.source]

    @property
    def url(self) -> str:
        return f"https://{self.source}.example/r/{self.id}"

    @property
    def began(self) -> int:
        return self.at.get("occurred", self.at.get("detected", min(self.at.values())))

    @property
    def ended(self) -> int:
        return max(self.began, self.at.get("resolved", self.at.get("closed", AS_OF_US)))


@dataclass(frozen=True)
class Link:
    """A naming, as a source yields it."""

    source: str
    id: str
    reason: str
    target_kind: str
    target: str
    target_source: str | None = None
    place: str = "field"
    text_id: str | None = None
    is_responder: bool = False


def same(one: Rec, other: Rec, by: str = "ada", why: str = "one outage") -> Decision:
    return Decision(*one.name, *other.name, "same", by, why, 2)


def different(one: Rec, other: Rec, by: str = "ada", why: str = "two outages") -> Decision:
    return Decision(*one.name, *other.name, "different", by, why, 2)


@contextmanager
def correlated(
    folder: Path,
    recs: Sequence[Rec],
    links: Sequence[Link] = (),
    decisions: Sequence[Decision] = (),
    file: dict[str, Any] | None = None,
    tables: Sequence[str] = TABLES,
) -> Iterator[Warehouse]:
    """A warehouse in which these tables are made of the records and links. Every promise was checked."""
    copy_database(empty(), folder)
    settings = replace(settings_for(folder, file or {}), decisions=Decisions(tuple(decisions)))
    warehouse = Warehouse(folder / "work.duckdb", settings, AS_OF, "run")
    try:
        fill(warehouse, recs, links)
        build(warehouse, tables)
        yield warehouse
    finally:
        warehouse.close()


def build(warehouse: Warehouse, tables: Sequence[str] = TABLES) -> None:
    """Make the tables, and check their promises."""
    for model in default_catalog():
        if model.table in tables:
            warehouse.build(model)
            assert [check for check in warehouse.check(model) if not check.passed] == [], model.table


def fill(warehouse: Warehouse, recs: Sequence[Rec], links: Sequence[Link]) -> None:
    """Put the records and links in the place of those in the tables."""
    columns: dict[str, list[Any]] = {
        "source": [r.source for r in recs],
        "external_id": [r.id for r in recs],
        "episode": [r.episode for r in recs],
        "kind": [r.kind for r in recs],
        "severity": [r.severity for r in recs],
        "severity_source": [r.severity_source for r in recs],
        "key": [r.key for r in recs],
        "dedup_key": [r.dedup_key for r in recs],
        "service": [r.service for r in recs],
        "title": [r.title for r in recs],
        "affected_users": [r.users for r in recs],
        "team": [r.team for r in recs],
        "revenue_impact": [r.revenue for r in recs],
        "root_cause_category": [r.category for r in recs],
        "url": [r.url for r in recs],
        "role": [r.role for r in recs],
        "acknowledged_by": [r.acknowledged_by for r in recs],
        "flap_of": [r.flap_of for r in recs],
        "duplicate_of_id": [r.duplicate_of for r in recs],
        "copied_stamps": [sum(1 << STAMPS.index(name) for name in r.copied) for r in recs],
        "began": [r.began for r in recs],
        "ended": [r.ended for r in recs],
    }
    numbers = {"episode", "affected_users", "copied_stamps", "began", "ended"}
    for name in STAMPS:
        columns[name] = [r.at.get(name) for r in recs]
        columns[f"{name}_via"] = [r.via.get(name, "api") if name in r.at else None for r in recs]
    types: dict[str, Any] = {name: pl.Int64 if name in numbers or name in STAMPS else pl.String for name in columns}
    types["revenue_impact"] = pl.Float64
    con = warehouse.con
    con.register("drawn", pl.DataFrame(columns, schema=types).to_arrow())
    stamps = ", ".join(f"make_timestamptz({name}) AS {name}_at, {name}_via AS {name}_provenance" for name in STAMPS)
    con.execute("DELETE FROM core.vendor_records; DELETE FROM core.standalone; DELETE FROM core.duplicates")
    con.execute(
        """INSERT INTO core.vendor_records BY NAME SELECT source, external_id, any_value(key) AS key, any_value(url) AS url,
            any_value(kind) AS kind, 'SEV3' AS severity, 'default' AS severity_source, any_value(dedup_key) AS dedup_key,
            any_value(duplicate_of_id) AS duplicate_of_id, any_value(duplicate_of_id) IS NOT NULL AS is_duplicate
        FROM drawn GROUP BY source, external_id"""
    )
    con.execute(
        f"""INSERT INTO core.standalone BY NAME SELECT
            incident_uuid(source, external_id, episode) AS record_id, source, external_id, episode, kind, severity, severity_source,
            severity AS severity_first, severity AS severity_max, title, url, key, service, team, affected_users,
            revenue_impact, root_cause_category, role, acknowledged_by,
            flap_of, CASE WHEN flap_of IS NOT NULL THEN 1 END AS flap_of_episode, duplicate_of_id, copied_stamps, {stamps},
            make_timestamptz(coalesce(detected, least(occurred, acknowledged, investigating, root_cause_found, mitigated, resolved,
                closed))) AS started_at,
            make_timestamptz(began) AS began_at, make_timestamptz(ended) AS ended_at, make_timestamptz(began) AS last_event_at,
            make_timestamptz(resolved) AS first_resolved_at,
            CASE WHEN closed IS NOT NULL THEN 'closed' WHEN resolved IS NOT NULL THEN 'resolved' ELSE 'detected' END AS status,
            0 AS reopen_count, 0 AS flap_count, 0 AS ack_count, false AS auto_resolved, false AS is_before_history,
            false AS is_abandoned, false AS is_over_unknown
        FROM drawn"""
    )
    con.unregister("drawn")
    names = (
        "source",
        "external_id",
        "reason",
        "target_kind",
        "target",
        "target_source",
        "place",
        "text_id",
        "is_responder",
    )
    told = [
        (n.source, n.id, n.reason, n.target_kind, n.target, n.target_source, n.place, n.text_id, n.is_responder)
        for n in links
    ]
    schema = dict.fromkeys(names, pl.String) | {"is_responder": pl.Boolean}
    con.register("drawn", pl.DataFrame(told, schema=schema, orient="row").to_arrow())
    con.execute("CREATE OR REPLACE TABLE main.given_links AS SELECT *, NULL::VARCHAR AS landed_in FROM drawn")
    con.unregister("drawn")
    con.execute("CREATE OR REPLACE VIEW staging.links AS FROM main.given_links")


# -- the reference -----------------------------------------------------------------------------------------------------

Node = tuple[str, str, int]
Name = tuple[str, str]
CLASSES = ("vendor", "url", "key", "text", "dedup", "chosen")
STRENGTH = ("flap", "chosen", "merged", "vendor", "url", "key", "text", "dedup")


def reference(
    recs: Sequence[Rec], links: Sequence[Link], decisions: Sequence[Decision] = ()
) -> tuple[list[set[Node]], list[tuple[Node, Node, str]]]:
    """The groups of more than one record, and the links that may join them with their reasons."""
    by_name: dict[Name, list[Rec]] = {}
    for rec in recs:
        by_name.setdefault(rec.name, []).append(rec)
    refused = {
        frozenset([(d.source, d.external_id), (d.other_source, d.other_external_id)])
        for d in decisions
        if d.decision == "different"
    }
    held: dict[str, set[Name]] = {}  # who has a deduplication key
    for rec in recs:
        if rec.dedup_key:
            held.setdefault(rec.dedup_key, set()).add(rec.name)
    for link in links:
        if link.target_kind == "dedup":
            held.setdefault(link.target, set()).add((link.source, link.id))
    named = [
        (link, target)
        for link in links
        for target in (held[link.target] if link.target_kind == "dedup" else _targets(link, recs))
    ]
    is_name = {"url", "key", "text"}
    namers: dict[Name, set[Name]] = {}
    texts: dict[tuple[Name, str, str], set[Any]] = {}
    for link in links:
        targets = _targets(link, recs)
        for target in targets:
            if link.reason in is_name and target != (link.source, link.id):
                namers.setdefault(target, set()).add((link.source, link.id))
        if link.text_id is not None and link.reason in is_name:
            for told in targets or [link.target]:
                if told != (link.source, link.id):
                    texts.setdefault(((link.source, link.id), link.text_id, _tool(link, targets)), set()).add(told)
    near = {}
    for link, target in named:
        pairs = [
            (min(_gap(a, b), DAY + 1), b.episode, a.episode, _gap(a, b), a.node, b.node)
            for a in by_name[(link.source, link.id)]
            for b in by_name[target]
        ]
        near[(link, target)] = min(pairs)[3:]
    lists = set()
    for name in by_name:
        mine = {
            (t, near[(n, t)][0])
            for n, t in named
            if (n.source, n.id) == name and n.reason in is_name and t[0] != name[0]
        }
        if len({t for t, _ in mine}) > 3 and max(gap for _, gap in mine) > DAY:
            lists.add(name)
    standing = _standing(named, near, {rec.node: rec for rec in recs})
    edges: list[tuple[int, int, Node, Node, str]] = []
    for link, target in named:
        own = (link.source, link.id)
        gap, a, b = near[(link, target)]
        many = len(_targets(link, recs)) > 1 and link.target_kind != "dedup"
        if (
            own == target
            or many
            or frozenset([own, target]) in refused
            or (link.source == target[0] and link.reason != "vendor")
        ):
            continue
        if link.reason == "dedup" and ROLES[link.source] != "pager" != ROLES[target[0]]:
            continue
        if link.reason in is_name:
            several = link.text_id is not None and len(texts[(own, link.text_id, _tool(link, [target]))]) > 1
            if several or len(namers[target]) > 3 or own in lists or {own, target} & standing or gap > DAY:
                continue
        if any(rec.kind != "incident" for rec in by_name[own] + by_name[target]):
            continue
        if link.reason == "dedup" and gap > 0:
            continue
        edges.append((STRENGTH.index(link.reason), gap, a, b, link.reason))
    for decision in decisions:
        one, other = (decision.source, decision.external_id), (decision.other_source, decision.other_external_id)
        if decision.decision == "same" and frozenset([one, other]) not in refused:
            pairs = [
                (min(_gap(a, b), DAY + 1), b.episode, a.episode, _gap(a, b), a.node, b.node)
                for a in by_name[one]
                for b in by_name[other]
            ]
            gap, a, b = min(pairs)[3:]
            edges.append((STRENGTH.index("chosen"), gap, a, b, "chosen"))
    joins = list(edges)
    for rec in recs:
        if rec.flap_of:
            joins.append((0, 0, rec.node, (rec.source, rec.flap_of, 1), "flap"))
        elif rec.duplicate_of:
            joins.append((2, 0, rec.node, (rec.source, rec.duplicate_of, 1), "merged"))
    groups = [group for group in _joined(recs, joins, refused) if len(group) > 1]
    return groups, [(a, b, reason) for _, _, a, b, reason in edges]


def _standing(named: Sequence[tuple[Link, Name]], near: Any, by_node: dict[Node, Rec]) -> set[Name]:
    """Channels that go with records of one tool that are more than a day apart."""
    beside: dict[tuple[Name, str], list[Rec]] = {}
    for link, target in named:
        gap, a, b = near[(link, target)]
        if link.reason in ("url", "key", "text") and gap <= DAY and link.source != target[0]:
            for name, other in (((link.source, link.id), b), (target, a)):
                if ROLES[name[0]] == "channel":
                    beside.setdefault((name, other[0]), []).append(by_node[other])
    return {
        name
        for (name, _), others in beside.items()
        if max(rec.began for rec in others) - min(rec.ended for rec in others) > DAY
    }


def _targets(link: Link, recs: Sequence[Rec]) -> list[Name]:
    found = []
    for rec in recs:
        fits = {
            "id": rec.name == (link.target_source, link.target),
            "url": rec.url == link.target,
            "key": link.target in (rec.key, rec.id),
            "dedup": False,
        }[link.target_kind]
        if fits and link.target_source in (None, rec.source) and rec.name not in found:
            found.append(rec.name)
    return found


def _tool(link: Link, targets: Sequence[Name]) -> str:
    """The account of what is named; of what was never read the site. opsgenie_incident is a kind of record of opsgenie."""
    source = targets[0][0] if targets else link.target.split("/")[2].split(".")[0] if "/" in link.target else "jira"
    return source.removesuffix("_incident")


def _gap(a: Rec, b: Rec) -> int:
    return max(0, max(a.began, b.began) - min(a.ended, b.ended))


def uuid(node: Node) -> str:
    import hashlib

    source, external_id, episode = node
    text = source + chr(31) + external_id + (chr(31) + str(episode) if episode > 1 else "")
    h = hashlib.sha1(bytes.fromhex("7d1c4a0e2f0b5c1a9a7d5e0b3c9f6a41") + text.encode()).hexdigest()
    return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{'89ab'[int(h[16], 16) % 4]}{h[17:20]}-{h[20:32]}"


def _joined(
    recs: Sequence[Rec], edges: Sequence[tuple[int, int, Node, Node, str]], refused: set[frozenset[Name]]
) -> list[set[Node]]:
    by_node = {rec.node: rec for rec in recs}
    order = sorted(edges, key=lambda e: (e[0], e[1], min(uuid(e[2]), uuid(e[3])), max(uuid(e[2]), uuid(e[3]))))

    def merge(chosen: Sequence[tuple[int, int, Node, Node, str]]) -> tuple[list[set[Node]], list[Any]]:
        groups, used = [{node} for node in by_node], []
        for edge in chosen:
            one = next(g for g in groups if edge[2] in g)
            other = next(g for g in groups if edge[3] in g)
            torn = any(frozenset([a[:2], b[:2]]) in refused for a in one for b in other) and edge[0] > 0
            if one is other:
                used.append(edge)
            elif not torn:
                one |= other
                groups.remove(other)
                used.append(edge)
        return groups, used

    groups, used = merge(order)
    kept = []
    small, _ = merge([edge for edge in used if edge[0] <= 2])
    for group in groups:
        own = [by_node[node] for node in group if not by_node[node].flap_of and not by_node[node].duplicate_of]
        started = [rec.at.get("detected", min(rec.at.values())) for rec in own]
        if len(own) > 20 or (own and max(started) - min(started) > 7 * DAY):
            kept += [part for part in small if part <= group]
        else:
            kept.append(group)
    return kept


# -- worlds ------------------------------------------------------------------------------------------------------------

STEPS = (0, 1, MINUTE, HOUR, DAY - 1, DAY, DAY + 1, 3 * DAY, 7 * DAY, 7 * DAY + 1)


def world(seed: int) -> tuple[list[Rec], list[Link], list[Decision]]:
    """A small company whose records name each other at random, around every limit."""
    luck = random.Random(seed)
    start = AS_OF_US - luck.randint(30, 200) * DAY
    count = luck.choice((2, 3, 4, 5, 6, 8, 26))
    recs: list[Rec] = []
    for place in range(count):
        source = luck.choice(tuple(ROLES))
        number = f"{seed}-{place}"
        key = f"W{seed}{source[0].upper()}-{place + 1}" if source in ("jira", "custom") else None
        began = start + (
            luck.randint(0, 3) * HOUR if count > 20 else luck.choice(STEPS) + luck.choice((0, 0, DAY, 2 * DAY))
        )
        rec = Rec(source, number, {"detected": began}, key=key, dedup_key=luck.choice((None, f"d{seed}")))
        rec = replace(rec, kind=luck.choice(("incident",) * 9 + ("false_alarm",)))
        end = began + luck.choice(STEPS)
        if luck.random() < 0.9:
            rec.at["resolved"] = end
        if luck.random() < 0.2:
            rec.at["occurred"] = began - luck.choice(STEPS[:6])
        mine = [
            other
            for other in recs
            if other.source == source and other.episode == 1 and not other.flap_of and not other.duplicate_of
        ]
        if mine and luck.random() < 0.2:
            rec = replace(rec, duplicate_of=luck.choice(mine).id)
        elif mine and source == "pagerduty" and luck.random() < 0.2:
            rec = replace(rec, flap_of=luck.choice(mine).id)
        recs.append(rec)
        if luck.random() < 0.15 and "resolved" in rec.at and not rec.flap_of:
            later = rec.at["resolved"] + luck.choice((DAY + 1, 3 * DAY))
            recs.append(replace(rec, episode=2, at={"detected": later, "resolved": later + luck.choice(STEPS)}))
    links = []
    for _ in range(luck.choice((1, 2, 4, 8, 12)) if count < 20 else 40):
        own, other = luck.choice(recs), luck.choice(recs)
        reason = luck.choice(("vendor", "url", "url", "key", "text", "dedup"))
        kind = {"vendor": "id", "url": "url", "key": "key", "text": luck.choice(("url", "key")), "dedup": "dedup"}[
            reason
        ]
        target = {"id": other.id, "url": other.url, "key": other.key or other.id, "dedup": f"d{seed}"}[kind]
        if luck.random() < 0.1 and kind == "url":
            target = f"https://{other.source}.example/r/never-{seed}"
        text_id = luck.choice((None, f"t{luck.randint(0, 2)}")) if reason in ("url", "key", "text") else None
        links.append(
            Link(
                *own.name,
                reason,
                kind,
                target,
                other.source if kind == "id" else None,
                luck.choice(("field", "note")),
                text_id,
            )
        )
    decisions = []
    free = [rec for rec in recs if not rec.flap_of]
    for decide in (different, different, same):
        one, other = luck.choice(free), luck.choice(free)
        pairs = {d.pair for d in decisions}
        if (
            luck.random() < 0.3
            and one.name != other.name
            and decide(one, other).pair not in pairs
            and not {one.id, other.id} & {r.flap_of for r in recs}
        ):
            decisions.append(decide(one, other))
    return recs, links, decisions
