"""Since when recovery is faster or slower: how often that is said although nothing changed, and whether a change is found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mart_cases import AS_OF_US, built, rows
from reference_change import change_of
from reference_targets import DETECTED, RESOLVED, Incident
from scipy import stats
from simulated_histories import DAY_US, HOUR_US, Kind, histories, observed

from mttr_pipeline.metrics.directions import shifts
from mttr_pipeline.metrics.observed import Columns, Flags, grouped, order_of

NAMED = """CASE WHEN shift_p < 0.05 AND shift_log_rank_p < 0.05 THEN shift ELSE 'none' END"""


def named(drawn: Columns) -> tuple[Flags, Flags, Columns]:
    """Which of the histories are called faster and which slower, each a report of its own; and the columns of the shift."""
    rows = observed(drawn, AS_OF_US)
    found = shifts(grouped(rows, "service_id"), rows, order_of(rows["started_us"], rows["incident_no"]))
    is_named = (found["shift_p"] < 0.05) & (found["shift_log_rank_p"] < 0.05)
    faster = is_named & (found["before_sum"] < 0) & (found["after_excess"] > 0)
    slower = is_named & (found["before_sum"] > 0) & (found["after_excess"] < 0)
    return faster, slower, found


def left_out(drawn: Columns) -> Columns:
    """Without the incidents from before the first pull."""
    return {name: values[~drawn["is_before"]] for name, values in drawn.items()}


def assert_rarely_named(drawn: Columns, kind: Kind, most: float = 0.05) -> None:
    """In at most 5 % of the histories."""
    faster, slower, found = named(drawn)
    assert np.isfinite(found["shift_p"]).mean() > 0.9, f"nearly every history of {kind} is tested"
    rate = float((faster | slower).mean())
    assert rate <= most, f"{rate:.1%} of unchanged histories have a shift: {kind}"


@pytest.mark.parametrize("days", [60, 1826])
@pytest.mark.parametrize("hours", [1, 27 * 24])
def test_nothing_changed_and_no_date_is_named(hours: float, days: int) -> None:
    """A small version of the simulation below. Recovered incidents alone made a date of nothing in up to 99 % of histories."""
    kind = Kind(hours, days, incidents=100, years_before=3)
    assert_rarely_named(left_out(histories(kind, 400, AS_OF_US)), kind)


def test_incidents_from_before_the_first_pull_would_name_a_date() -> None:
    """Only those that never end are there of that time: with them, every unchanged history seems to get faster. It shows that the
    simulation above draws what must be left out.
    """
    kind = Kind(4, 60, incidents=100, years_before=3)
    drawn = histories(kind, 200, AS_OF_US)
    assert drawn["is_before"].any()
    faster, slower, _ = named(drawn)
    assert faster.mean() > 0.9 and slower.mean() == 0


@pytest.mark.parametrize("days", [60, 365])
def test_a_change_is_found_where_it_happened(days: int) -> None:
    """From 4 hours to 40 minutes at the middle of 400 incidents, some of them never closed."""
    faster, slower, found = named(histories(Kind(4, days, incidents=400, later_hours=2 / 3), 200, AS_OF_US))
    assert faster.all() and not slower.any()
    away = np.abs(found["shift_us"] - (AS_OF_US - days * DAY_US / 2)) / (days * DAY_US)
    assert np.median(away) < 0.01 and np.quantile(away, 0.9) < 0.05
    assert (found["after_median"] < found["before_median"]).all()
    slow = histories(Kind(2 / 3, days, incidents=400, later_hours=4), 200, AS_OF_US)
    faster, slower, _ = named(slow)
    assert slower.all() and not faster.any()


@pytest.mark.slow
@pytest.mark.parametrize("incidents", [40, 200])
@pytest.mark.parametrize("days", [60, 1826])
@pytest.mark.parametrize("hours", [1, 4, 24, 5 * 24, 27 * 24])
def test_false_alarms_are_at_most_five_percent(hours: float, days: int, incidents: int) -> None:
    """2,000 unchanged histories each, 2 % of the incidents never closed, three years of records before the first pull."""
    kind = Kind(hours, days, incidents, years_before=3)
    assert_rarely_named(left_out(histories(kind, 2000, AS_OF_US, seed=7)), kind)


@pytest.mark.slow
@pytest.mark.parametrize("hours", [1, 27 * 24])
def test_false_alarms_of_large_histories(hours: float) -> None:
    """The distribution of p is exact in large samples, so the rate comes close to 5 %, and stays there as far as chance allows."""
    kind = Kind(hours, 1826, incidents=2000)
    most = stats.binom.ppf(0.999, 500, 0.05) / 500
    assert_rarely_named(histories(kind, 500, AS_OF_US, seed=7), kind, most)


def incidents(drawn: Columns, prefix: str) -> list[Incident]:
    """The same histories as incidents, each of a service of its own, in the order of core.incidents."""
    found = []
    for row in np.argsort(drawn["started_us"], kind="stable"):
        stamps: list[int | None] = [None] * 8
        stamps[DETECTED] = int(drawn["started_us"][row])
        if drawn["end_us"][row] > 0:
            stamps[RESOLVED] = int(drawn["end_us"][row])
        found.append(
            Incident(
                f"{prefix}-{row}",
                tuple(stamps),
                service=f"{prefix} {drawn['history'][row]}",
                is_before_history=bool(drawn["is_before"][row]),
            )
        )
    return sorted(found, key=lambda incident: (incident.started, incident.id))


@pytest.mark.slow
def test_the_tables_name_no_date_where_nothing_changed() -> None:
    """The same through DuckDB: 300 services in which nothing changes, and one that gets faster, in one report."""
    kind = Kind(24, 60, incidents=60, years_before=3)
    drawn = histories(kind, 300, AS_OF_US)
    changed = histories(Kind(4, 60, incidents=400, later_hours=2 / 3), 1, AS_OF_US)
    both = sorted(incidents(drawn, "same") + incidents(changed, "moved"), key=lambda i: (i.started, i.id))
    where = "calculation_type = 'basic' AND window_start IS NULL AND scope = 'service'"
    with built(["mart.directions"], both) as warehouse:
        found = rows(
            warehouse, f"SELECT *, {NAMED} AS named FROM mart.directions WHERE {where} AND scope_value LIKE 'same%'"
        )
        (moved,) = rows(warehouse, f"SELECT * FROM mart.directions WHERE {where} AND scope_value LIKE 'moved%'")
    assert len(found) == 300 and {row["n"] for row in found} == {60}
    assert sum(row["n_before_history"] for row in found) == int(drawn["is_before"].sum()) > 300
    # 5 % of 300 tests of one report; q holds the rate of the whole report.
    assert sum(row["shift_p"] < 0.05 and row["shift_log_rank_p"] < 0.05 for row in found) <= 15
    assert sum(row["shift"] in ("faster", "slower") for row in found) <= 1
    assert moved["shift"] == "faster" and moved["n"] == 400
    assert abs(moved["shift_at"] - (AS_OF_US - 30 * DAY_US)) < 5 * DAY_US
    assert moved["after_median_minutes"] < 120 < moved["before_median_minutes"]


def test_the_shift_of_the_tables_is_the_definition() -> None:
    """Against fractions. Incidents start on the hour, so many start together: the smaller id comes first."""
    drawn = histories(Kind(6, 80, incidents=40, later_hours=2, never_closed=0.1), 3, AS_OF_US, seed=3)
    drawn["started_us"] -= drawn["started_us"] % (12 * HOUR_US)
    drawn["end_us"] = np.where(drawn["end_us"] > 0, np.maximum(drawn["end_us"], drawn["started_us"]), 0)
    few = histories(Kind(6, 80, incidents=19), 1, AS_OF_US)
    late = histories(Kind(27 * 24, 20, incidents=25), 1, AS_OF_US)
    all_of_them = incidents(drawn, "many") + incidents(few, "few") + incidents(late, "late")
    all_of_them.sort(key=lambda incident: (incident.started, incident.id))
    assert len({i.started for i in all_of_them if i.service == "many 0"}) < 40, "some start together"
    with built(["mart.directions"], all_of_them) as warehouse:
        found = {
            row["scope_value"]: row
            for row in rows(
                warehouse,
                """SELECT * FROM mart.directions
                WHERE calculation_type = 'basic' AND window_start IS NULL AND scope IN ('all', 'service')""",
            )
        }
    for member in ("all", "many 0", "many 1", "many 2"):
        mine = [i for i in all_of_them if member in ("all", i.service)]
        history = [((i.stamps[RESOLVED] or AS_OF_US) - i.started, i.stamps[RESOLVED] is not None) for i in mine]
        expected, row = change_of(history), found[member]
        assert (row["n"], row["n_events"]) == (len(mine), sum(event for _, event in history))
        assert row["n_before"] == expected.place
        assert row["shift_at"] == mine[expected.place].started
        assert math.isclose(row["shift_p"], expected.p, rel_tol=1e-6)
    assert (
        found["few 0"]["shift"] == "not enough data" and found["few 0"]["shift_reason"] == "19 incidents; 20 are needed"
    )
    assert found["late 0"]["n"] == 25 and found["late 0"]["n_events"] < 10
    assert found["late 0"]["shift_reason"].endswith("recovered; 10 are needed")
    assert found["late 0"]["shift_p"] is None
