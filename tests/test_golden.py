"""What an incident of several records says: random groups against a second implementation, written from the definitions of METRICS.

What belongs here: which record each stamp and each text of the incident is taken from. Which records are one incident is tested in
test_correlation.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from correlation_cases import DAY, MINUTE, ORDER, ROLES, STAMPS, Link, Rec, correlated, uuid
from support import AS_OF_US, rows

T0 = AS_OF_US - 60 * DAY


@dataclass(frozen=True)
class Group:
    """The records of one incident, and which of them are alerts that page for it."""

    recs: tuple[Rec, ...]
    responders: frozenset[str]

    @property
    def links(self) -> list[Link]:
        """Every record is named by the first one, but for those that their tool merged."""
        hub, *others = self.recs
        return [
            Link(
                *hub.name,
                "vendor",
                "id",
                one.id,
                one.source,
                "associated_alert",
                is_responder=one.id in self.responders,
            )
            for one in others
            if not one.duplicate_of
        ]


def drawn(seed: int) -> Group:
    """A few records with few different instants and words, so that equal ones and missing ones meet."""
    luck = random.Random(seed)
    recs: list[Rec] = []
    responders: set[str] = set()
    for place in range(luck.choice((2, 2, 3, 4, 6))):
        source = luck.choice(tuple(ROLES))
        at = {name: T0 + luck.randrange(8) * MINUTE for name in STAMPS if luck.random() < 0.5}
        at = at or {"detected": T0}
        via = {name: luck.choice(("api", "changelog", "field", "derived")) for name in at}
        same = [one for one in recs if one.source == source and not one.duplicate_of and one.id not in responders]
        rec = Rec(
            source,
            f"{seed}-{place}",
            at,
            via=via,
            severity=luck.choice(("SEV1", "SEV2", "SEV3", "SEV4")),
            severity_source=luck.choice(("field", "major_incident", "priority", "urgency", "default")),
            copied=tuple(name for name in at if luck.random() < 0.2) if ROLES[source] == "ticket" else (),
            acknowledged_by=luck.choice(("human", "human", "integration", "timeout", None)),
            service=luck.choice((None, "api", "shop")),
            team=luck.choice((None, "red", "blue")),
            title=luck.choice((None, "down", "slow")),
            category=luck.choice((None, "deploy", "disk")),
            users=luck.choice((None, 0, 3, 70)),
            revenue=luck.choice((None, 0.0, 9.5)),
            duplicate_of=luck.choice(same).id if same and luck.random() < 0.3 else None,
        )
        if place and source == "opsgenie" and not rec.duplicate_of and luck.random() < 0.5:
            responders.add(rec.id)
        recs.append(rec)
    if len({rec.source for rec in recs}) == 1:  # nothing is copied where there is no other tool
        recs = [replace(rec, copied=()) for rec in recs]
    return Group(tuple(recs), frozenset(responders))


# -- the second implementation -------------------------------------------------------------------------------------------------


def expected(group: Group) -> dict[str, Any]:
    """The incident as METRICS.md section 2 defines it, one rule after the other."""
    # "Wherever one is chosen the order is pager, ticket, machine alert, channel; among equals the one that began
    # first". Those that never give the identity come last.
    ordered = sorted(
        group.recs,
        key=lambda r: (
            *(r.duplicate_of is not None, r.id in group.responders),
            *(ORDER.index(r.role), r.at.get("detected", min(r.at.values())), r.source, r.id),
        ),
    )
    # "A responder alert and a merged record may give the first acknowledgement, never identity, title, severity or resolved"
    whole = [r for r in ordered if not r.duplicate_of and r.id not in group.responders]
    tickets_first = sorted(whole, key=lambda r: r.role != "ticket")  # stable
    pagers, tickets, alerts, channels = ([r for r in whole if r.role == role] for role in ORDER)

    found: dict[str, Any] = {"incident_id": uuid(whole[0].node)}
    for name, asked in (("occurred", tickets_first), ("investigating", whole), ("root_cause_found", tickets_first)):
        found |= stamp(name, next(said(asked, name), None), name)
    # "the earliest machine detection"; "a responder alert never gives detected", a merged record may
    seen = [r for r in ordered if r.id not in group.responders]
    machine = [r for r in seen if r.role in ("pager", "machine alert") or r.via.get("detected") == "field"]
    # "a ticket's or channel's creation moves it only when nothing else detected"; a channel is made after its ticket
    made = [r for r in seen if r.role != "channel"]
    detected = next(filter(None, (earliest(said(records, "detected")) for records in (machine, made, seen))), None)
    found |= stamp("detected", detected, "detected")
    # "the earliest acknowledgement by a person in a pager"; then by a machine, then in a ticket, then in an alert
    paged = list(said([r for r in ordered if r.role == "pager"], "acknowledged"))
    by_person = [r for r in paged if r.acknowledged_by not in ("integration", "timeout")]
    taken = [
        by_person,
        paged,
        *(list(said([r for r in ordered if r.role == role], "acknowledged")) for role in ORDER[1:]),
    ]
    first = next(filter(None, (earliest(records, "acknowledged") for records in taken)), None)
    found |= stamp("acknowledged", first, "acknowledged")
    # "a human field, then a status, then a note"
    how = {"field": 0, "derived": 2}
    found |= stamp("mitigated", best(said(whole, "mitigated"), lambda r: how.get(r.via["mitigated"], 1)), "mitigated")
    # "the pager's last resolve; without a pager the ticket's"
    ends = list(said(pagers, "resolved")) or list(said(tickets, "resolved"))
    if not (pagers or tickets):
        ends = list(said(alerts or channels, "resolved"))
    found |= stamp("resolved", best(ends, lambda r: -r.at["resolved"]), "resolved")
    # "closed from the ticket", "a ticket's Done then counts as closed"
    found |= {"closed_at": None, "closed_source": None}
    for rec in tickets_first:
        name = "closed" if "closed" in rec.at or not (rec.role == "ticket" and pagers) else "resolved"
        if name in rec.at and name not in rec.copied:
            found |= {"closed_at": rec.at[name], "closed_source": rec.source}
            break
    ranked = best(whole, severity_rank)
    assert ranked is not None
    found |= {"severity": ranked.severity, "severity_source": ranked.severity_source}
    for name in ("service", "team", "title"):
        found[name] = next((value for r in whole if (value := getattr(r, name)) is not None), None)
    found["root_cause_category"] = next((r.category for r in tickets_first if r.category is not None), None)
    found["affected_users"] = max((r.users for r in whole if r.users is not None), default=None)
    found["revenue_impact"] = max((r.revenue for r in whole if r.revenue is not None), default=None)
    return found


def said(recs: Iterable[Rec], name: str) -> Iterable[Rec]:
    """Those that have the stamp, and not copied by an integration: "they never win"."""
    return (r for r in recs if name in r.at and name not in r.copied)


def best(recs: Iterable[Rec], rank: Callable[[Rec], int]) -> Rec | None:
    return min(recs, key=rank, default=None)  # the first of equals


def earliest(recs: Iterable[Rec], name: str = "detected") -> Rec | None:
    return best(recs, lambda r: r.at[name])


def stamp(name: str, rec: Rec | None, of: str) -> dict[str, Any]:
    return {f"{name}_at": rec.at[of] if rec else None, f"{name}_source": rec.source if rec else None}


def severity_rank(rec: Rec) -> int:
    """The ticket's Severity field, then pager priority, pager urgency, ticket priority, alert label, default."""
    if rec.severity_source == "default":
        return 9
    if rec.role == "ticket":
        return 1 if rec.severity_source in ("field", "major_incident") else 4
    if rec.role == "pager":
        return 3 if rec.severity_source == "urgency" else 2
    return 5


def compare(folder: Path, seeds: Sequence[int]) -> None:
    groups = [drawn(seed) for seed in seeds]
    wanted = [expected(group) for group in groups]
    with correlated(folder, [r for g in groups for r in g.recs], [n for g in groups for n in g.links]) as warehouse:
        stamps = ", ".join(f"epoch_us({name}_at) AS {name}_at" for name in STAMPS)
        found = {
            row["incident_id"]: row for row in rows(warehouse.con, f"SELECT * REPLACE ({stamps}) FROM mart.incidents")
        }
    assert len(found) == len(groups)
    names = wanted[0].keys()
    for group, one in zip(groups, wanted, strict=True):
        assert {name: found[one["incident_id"]][name] for name in names} == one, group
    sources = {name: {one[name] for one in wanted} for name in names if name.endswith("_source")}
    assert all(len(values) > 3 for values in sources.values()), "some stamp always comes from the same tool"


def test_every_stamp_and_text_is_that_of_the_definitions(tmp_path: Path) -> None:
    compare(tmp_path, range(400))


@pytest.mark.slow
def test_every_stamp_and_text_is_that_of_the_definitions_in_many_groups(tmp_path: Path) -> None:
    compare(tmp_path, range(1_000, 9_000))
