"""Downtime: what counts, by how much, and where the forgotten tickets go. The sweep stands against every instant, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mart_cases import AS_OF_US, built, needed
from reference_targets import DAY, MINUTE, Incident
from support import AS_OF, door, examples, iso, rows

from mttr_pipeline.metrics.downtime import compute

TABLES = ("mart.downtime", "mart.downtime_incidents", "mart.abandoned_incidents")


# --- the sweep --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outage:
    """A row of facts.outages."""

    start_us: int
    end_us: int
    weight: int
    service_id: int = 1
    is_abandoned: bool = False

    def covers(self, instant: int) -> bool:
        return self.start_us <= instant < self.end_us


def swept(outages: list[Outage]) -> list[dict[str, Any]]:
    """What `compute` makes of these rows."""
    schema = {"start_us": pl.Int64, "end_us": pl.Int64, "weight": pl.UInt16, "service_id": pl.UInt32}
    frame = pl.DataFrame([vars(one) for one in outages], schema | {"is_abandoned": pl.Boolean}).with_row_index(
        "incident_no"
    )
    with duckdb.connect() as con:
        con.register("given", frame.to_arrow())
        con.execute("CREATE SCHEMA facts; CREATE TABLE facts.outages AS FROM given")
        found = compute(con)
    return pl.DataFrame(found).to_dicts()


outages = st.builds(
    lambda start, length, weight, service, lost: Outage(start, start + length, weight, service, lost),
    st.integers(-20, 20),
    st.integers(-2, 15),
    st.sampled_from([0, 1, 300, 300, 999, 1000]),
    st.integers(1, 3),
    st.booleans(),
)


@given(st.lists(outages, max_size=12))
@examples(300)
def test_at_every_instant_the_largest_weight_counts(given: list[Outage]) -> None:
    """Against the definition, one instant at a time: the largest weight and not the sum, of equal ones the first begun; and beside
    it what abandoned incidents would add.
    """
    spans = swept(given)
    for member in range(4):
        mine = [(number, one) for number, one in enumerate(given) if member in (0, one.service_id)]
        for instant in range(-22, 38):
            now = [(number, one) for number, one in mine if one.covers(instant)]
            living = [(one.weight, -one.start_us, number) for number, one in now if not one.is_abandoned]
            lost = [one.weight for _, one in now if one.is_abandoned]
            found = [
                span for span in spans if span["member_id"] == member and span["start_us"] <= instant < span["end_us"]
            ]
            counted = [span for span in found if not span["is_abandoned"]]
            added = [span for span in found if span["is_abandoned"]]
            largest = max(living, default=(0, 0, 0))
            assert [span["weight"] for span in counted] == ([largest[0]] if largest[0] else [])
            assert sum(span["weight"] for span in added) == max(0, max(lost, default=0) - largest[0])
            assert len(added) <= 1
            for span in counted:  # the incident is one of those that weigh and began like the one that counts
                winner = given[span["incident_no"]]
                assert (winner.weight, -winner.start_us) == largest[:2] and winner.covers(instant)
            for span in added:
                assert given[span["incident_no"]].weight == max(lost) and given[span["incident_no"]].is_abandoned


def test_services_that_do_not_fit_on_one_axis() -> None:
    """The sweep puts services one after another on one axis of 64-bit integers. Long histories of many services need several."""
    length = 2**60
    given = [Outage(7, 7 + length // (1 + number), 1 + number, 1 + number) for number in range(23)]
    spans = {span["member_id"]: span for span in swept(given) if span["member_id"]}
    assert {
        member: (span["start_us"], span["end_us"], span["weight"], span["incident_no"])
        for member, span in spans.items()
    } == {one.service_id: (one.start_us, one.end_us, one.weight, number) for number, one in enumerate(given)}


# --- the tables, against minutes --------------------------------------------------------------------------------------

WEIGHTS = {"SEV1": 1000, "SEV2": 1000, "SEV3": 300, "SEV4": 0}
OWN = {"cart": {"SEV3": 1000, "SEV1": 450}, "search": {"SEV4": 125}}
FILE = {
    "targets": {"availability_pct": 99},
    "downtime": {"services": {s: {k: w / 1000 for k, w in own.items()} for s, own in OWN.items()}},
}
SPAN = 60 * 24 * 60  # minutes of history


@dataclass(frozen=True)
class Drawn:
    """An incident in minutes before as_of, and what the definition says of it."""

    incident: Incident
    users: int | None
    is_abandoned: bool
    last_event: int
    down: tuple[int, int] | None  # minutes since the start of the history
    weight: int
    is_apart: bool


def drawn(count: int, *, noise_counts: bool = False) -> list[Drawn]:
    """Incidents of every kind that matters: late and early ends, none, noise, abandoned ones with and without a mitigation."""
    random, found = np.random.default_rng(11), []
    for number in range(count):
        start = int(random.integers(1, SPAN))
        end = start + int(random.integers(-40, 3000)) if random.random() < 0.9 else None
        end = None if end is None or end > SPAN else end
        severity, service = (
            str(random.choice(["SEV1", "SEV2", "SEV3", "SEV4"])),
            str(random.choice(["cart", "search", "shop"])),
        )
        is_mitigated, is_noise = bool(random.random() < 0.4), bool(random.random() < 0.2)
        is_over = end is not None and (not is_mitigated or random.random() < 0.5)
        at = [None if minute is None else AS_OF_US - (SPAN - minute) * MINUTE for minute in (start, end)]
        last = start if end is None else max(start, end)
        is_abandoned = not is_over and last <= SPAN - 7 * 24 * 60
        acknowledged = None if is_noise else at[0]
        stamps = (at[0], at[0], acknowledged, None, None, at[1] if is_mitigated else None, None, None)
        if is_over:
            stamps = (*stamps[:6], at[1] if end is not None else None, None)
        down = (start, end if end is not None else last if is_abandoned else SPAN)
        weight = OWN.get(service, {}).get(severity, WEIGHTS[severity])
        found.append(
            Drawn(
                Incident(f"{number:03}", stamps, severity, service, auto_resolved=is_noise and is_over),
                int(random.integers(0, 500)) if random.random() < 0.5 else None,
                is_abandoned,
                last,
                down if down[0] <= down[1] else None,
                0 if is_noise and is_over and not noise_counts else weight,
                is_abandoned and end is None,
            )
        )
    return found


@pytest.mark.parametrize("noise_counts", [False, True])
def test_downtime_against_every_minute(noise_counts: bool) -> None:
    """Weights per severity and service, noise, abandoned incidents, users and the error budget, for every service and window."""
    some = drawn(150, noise_counts=noise_counts)
    file = FILE | {"downtime": FILE["downtime"] | {"count_noise": noise_counts}}
    with built((), [one.incident for one in some], file) as warehouse:
        for one in some:
            warehouse.con.execute(
                """UPDATE mart.incidents SET is_abandoned = $2, affected_users = $3, last_event_at = make_timestamptz($4)
                WHERE incident_id = $1""",
                [one.incident.id, one.is_abandoned, one.users, AS_OF_US - (SPAN - one.last_event) * MINUTE],
            )
        for model in needed(TABLES):
            warehouse.build(model)
            assert [check for check in warehouse.check(model) if not check.passed] == [], model.table
        found = rows(warehouse.con, "SELECT *, epoch_us(window_start) AS since_us FROM mart.downtime")
        causes = rows(warehouse.con, "SELECT *, epoch_us(window_start) AS since_us FROM mart.downtime_incidents")
        listed = rows(warehouse.con, "FROM mart.abandoned_incidents")
    first = min(one.down[0] for one in some if one.down)
    assert {row["scope_value"] for row in found} == {"all", "cart", "search", "shop"} and len(found) == 12
    for row in found:
        since = first if row["since_us"] is None else max(first, SPAN - (AS_OF_US - row["since_us"]) // MINUTE)
        mine = [one for one in some if row["scope_value"] in ("all", one.incident.service)]
        weights = {False: np.zeros(SPAN, int), True: np.zeros(SPAN, int)}
        for one in mine:
            for with_abandoned, minutes in weights.items():
                if one.down and (with_abandoned or not one.is_apart):
                    down = slice(*one.down)
                    minutes[down] = np.maximum(minutes[down], one.weight)
        without, with_them = (int(weights[flag][since:].sum()) for flag in (False, True))
        inside = [one for one in mine if one.down and (one.down[1] > since or one.down[0] >= since)]
        assert row["window_minutes"] == SPAN - since
        assert row["downtime_minutes"] == np.count_nonzero(weights[False][since:])
        assert row["weighted_downtime_minutes"] == without / 1000
        assert row["weighted_downtime_with_abandoned_minutes"] == with_them / 1000
        assert row["availability_pct"] == pytest.approx(100 * (1 - without / 1000 / (SPAN - since)), rel=1e-12)
        assert row["availability_with_abandoned_pct"] == pytest.approx(
            100 * (1 - with_them / 1000 / (SPAN - since)), rel=1e-12
        )
        living = [one for one in inside if not one.is_apart]
        assert (row["n"], row["n_abandoned"]) == (len(living), len(inside) - len(living))
        assert row["n_weightless"] == sum(one.weight == 0 for one in living)
        assert row["n_open"] == sum(one.down[1] == SPAN and one.last_event < SPAN for one in living if one.down)
        assert row["n_invalid"] == sum(one.down is None for one in mine)
        known = [
            one.users * (one.down[1] - max(since, one.down[0])) for one in living if one.users is not None and one.down
        ]
        assert (row["user_minutes"], row["n_users_known"]) == (sum(known), len(known))
        if row["scope"] == "all":
            assert row["error_budget_used_pct"] is None
            continue
        budget = (SPAN - since) * 0.01
        assert row["error_budget_minutes"] == pytest.approx(budget, rel=1e-12)
        assert row["error_budget_used_pct"] == pytest.approx(100 * without / 1000 / budget, rel=1e-9)
        assert row["error_budget_used_with_abandoned_pct"] == pytest.approx(100 * with_them / 1000 / budget, rel=1e-9)
        if row["since_us"] is None:
            continue
        own = [each for each in causes if (each["service"], each["since_us"]) == (row["scope_value"], row["since_us"])]
        assert [each["place"] for each in own] == list(range(1, len(own) + 1)) and 0 < len(own) <= 10
        most = [each["weighted_downtime_minutes"] for each in own]
        assert most == sorted(most, reverse=True)
        if len(own) < 10:  # all of them: they add up
            apart = sum(each["weighted_downtime_minutes"] for each in own if each["is_abandoned"])
            assert sum(most) - apart == pytest.approx(without / 1000) and sum(most) == pytest.approx(with_them / 1000)
        for each in own:
            used = 100 * each["weighted_downtime_minutes"] / budget
            assert each["error_budget_used_pct"] == pytest.approx(used, rel=1e-9)
    assert any(row["n_abandoned"] for row in found) and any(row["n_weightless"] for row in found)
    assert {row["incident_id"] for row in listed} == {one.incident.id for one in some if one.is_abandoned}
    assert {row["is_down"] for row in listed} == {True, False}
