"""Downtime: what counts, by how much, and where the forgotten tickets go. The sweep stands against every instant, one by one."""

from __future__ import annotations

import functools
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
from report_cases import Reader
from support import AS_OF, door, examples, iso, more_where_slow, rows
from support import AS_OF_US as NOW_US

from mttr_pipeline import reports
from mttr_pipeline.cli.terminal import downtime_lines, names_lines
from mttr_pipeline.metrics.downtime import compute
from mttr_pipeline.reports.page import verdict
from mttr_pipeline.reports.page.words import share

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
    con = connection()
    con.register("given", frame.to_arrow())
    con.execute("CREATE OR REPLACE TABLE facts.outages AS FROM given")
    return pl.DataFrame(compute(con)).to_dicts()


@functools.cache
def connection() -> duckdb.DuckDBPyConnection:
    """One for all examples: to open one takes longer than the sweep."""
    con = duckdb.connect()
    con.execute("CREATE SCHEMA facts")
    return con


outages = st.builds(
    lambda start, length, weight, service, lost: Outage(start, start + length, weight, service, lost),
    st.integers(-20, 20),
    st.integers(-2, 15),
    st.sampled_from([0, 1, 300, 300, 999, 1000]),
    st.integers(1, 3),
    st.booleans(),
)


@more_where_slow(60, 300)
def test_at_every_instant_the_largest_weight_counts(count: int) -> None:
    """Against the definition, one instant at a time: the largest weight and not the sum, of equal ones the first begun; and beside
    it what abandoned incidents would add.
    """
    given(st.lists(outages, max_size=12))(examples(count)(assert_the_largest_weight_counts))()


def assert_the_largest_weight_counts(given: list[Outage]) -> None:
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


def lost(one: Drawn) -> float | None:
    """The revenue impact of an incident: something in eighths, so that every sum is exact."""
    return one.users / 8 if one.users else None


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
                """UPDATE mart.incidents SET is_abandoned = $2, affected_users = $3, last_event_at = make_timestamptz($4),
                revenue_impact = $5 WHERE incident_id = $1""",
                [one.incident.id, one.is_abandoned, one.users, AS_OF_US - (SPAN - one.last_event) * MINUTE, lost(one)],
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
        losses = [lost(one) for one in inside if one.down and one.down[0] >= since and one.users]
        assert (row["revenue_impact"], row["n_revenue_known"]) == (sum(losses) if losses else None, len(losses))
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


# --- from records to downtime -----------------------------------------------------------------------------------------


def ago(days: float) -> str:
    return iso(NOW_US - round(days * DAY))


def record(name: str, began: float, **more: Any) -> dict[str, Any]:
    """A SEV1 incident of a service of its own that began so many days ago. Stamps are days ago too."""
    stamps = {key: ago(value) if key.endswith("_at") else value for key, value in more.items()}
    timeline = [{**entry, "at": ago(entry["at"])} for entry in more.get("timeline", ())]
    given = {"external_id": name, "service": name, "severity": "SEV1", "detected_at": ago(began), **stamps}
    return given | ({"timeline": timeline} if timeline else {})


def note(days: float) -> dict[str, Any]:
    return {"event_type": "note", "at": days, "notes": "still looking"}


RECORDS = [
    # Forgotten a year ago, and the only trouble that its service ever had.
    record("forgotten", 400, acknowledged_at=399.5),
    record("seven days quiet", 7),
    record("just not", 6.999),
    record("a note", 100, timeline=[note(3)]),
    record("an old note", 100, timeline=[note(30)]),
    record("touched", 100, updated_at=3),
    record("touched long ago", 100, updated_at=30),
    record("touched after the report", 100, updated_at=-2),
    record("mitigated", 100, mitigated_at=99),
    record("over", 100, resolved_at=99),
    record("closed", 100, closed_at=98),
    record("root", 100),
    record("twin", 100, duplicate_of="root", timeline=[note(2)]),
    # No downtime, or less.
    record("upgrade", 10, kind="maintenance", resolved_at=8),
    record("upgrade for ever", 300, kind="maintenance"),
    record("flicker", 10, resolved_at=8, resolution_kind="integration"),
    record("flicker with a person", 10, acknowledged_at=9.5, resolved_at=8, resolution_kind="integration"),
    record("timed out", 10, resolved_at=8, resolution_kind="timeout"),
    record("partial", 10, resolved_at=8, severity="SEV3"),
    record("minor", 10, resolved_at=8, severity="SEV4"),
    *(
        record(f"both {severity}", 10, resolved_at=8, service="both", severity=severity)
        for severity in ("SEV1", "SEV3")
    ),
    record("both later", 8, resolved_at=7, service="both", severity="SEV3"),
    record("began before", 10, detected_at=9, occurred_at=10, mitigated_at=8, resolved_at=1),
]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """All of them in one build."""
    folder = tmp_path_factory.mktemp("downtime")
    file = {"targets": {"availability_pct": 99}}
    with door(folder, RECORDS, configured=file) as warehouse:
        yield warehouse.con


def down(con: Any, service: str, window: str = "last30") -> dict[str, Any]:
    found = rows(
        con,
        f"""SELECT d.* FROM mart.downtime AS d JOIN core.target_windows AS w
            ON epoch_us(w.window_start) IS NOT DISTINCT FROM epoch_us(d.window_start)
        WHERE d.scope_value = ? AND w.name = '{window}'""",
        [service],
    )
    assert len(found) == 1, service
    return found[0]


def test_which_incidents_are_abandoned(history: Any) -> None:
    """Open, and no event of any member and no update at the vendor for seven days, to the instant. An update that came after the
    report tells nothing about the time before it.
    """
    found = {row["external_id"] for row in rows(history, "FROM mart.incidents WHERE is_abandoned")}
    assert found == {
        *("forgotten", "seven days quiet", "an old note", "touched long ago", "touched after the report"),
        *("mitigated", "upgrade for ever"),
    }


def test_one_forgotten_ticket_does_not_take_availability_to_zero(history: Any) -> None:
    """Its downtime ends at its last event, half a day after it began, and it counts apart."""
    row = down(history, "forgotten", "whole")
    assert (row["n"], row["n_open"], row["n_abandoned"]) == (0, 0, 1)
    assert (row["weighted_downtime_minutes"], row["weighted_downtime_with_abandoned_minutes"]) == (0, 720)
    assert row["availability_pct"] == 100
    assert row["availability_with_abandoned_pct"] == pytest.approx(100 * (1 - 0.5 / 400))
    recent = down(history, "forgotten")
    assert recent["availability_pct"] == recent["availability_with_abandoned_pct"] == 100
    assert (recent["n"], recent["n_abandoned"]) == (0, 0)


def test_the_list_of_abandoned_incidents(history: Any) -> None:
    """With links, age and last event, the quietest first; what was mitigated is listed, and its downtime is known. Maintenance is no
    incident.
    """
    found = rows(history, "FROM mart.abandoned_incidents")
    assert [(row["external_id"], round(row["quiet_days"], 3), row["is_down"]) for row in found[:1]] == [
        ("forgotten", 399.5, True)
    ]
    assert found[0]["age_days"] == 400 and found[0]["last_event_at"] == AS_OF - timedelta(days=399.5)
    quiet = {row["external_id"]: row["quiet_days"] for row in found}
    assert quiet["an old note"] == quiet["touched long ago"] == 30 and quiet["touched after the report"] == 100
    assert {row["external_id"]: row["is_down"] for row in found if not row["is_down"]} == {"mitigated": False}
    assert "upgrade for ever" not in quiet


DAYS_DOWN = {
    "just not": (6.999, 6.999),
    "a note": (30, 30),
    "touched": (30, 30),
    "root": (30, 30),
    "flicker": (0, 0),
    "flicker with a person": (2, 2),
    "timed out": (0, 0),
    "partial": (2, 0.6),
    "minor": (0, 0),
    "both": (3, 2.3),
    "began before": (2, 2),
}


@pytest.mark.parametrize("service", DAYS_DOWN)
def test_what_counts_and_by_how_much(history: Any, service: str) -> None:
    """Open ones until now, weights by severity, the largest and not the sum, noise nothing, and from occurred to mitigated."""
    row = down(history, service)
    union, weighted = DAYS_DOWN[service]
    assert row["downtime_minutes"] == pytest.approx(union * 1440)
    assert row["weighted_downtime_minutes"] == pytest.approx(weighted * 1440, rel=1e-12)
    assert row["error_budget_used_pct"] == pytest.approx(100 * weighted / 0.3, rel=1e-9)


def test_mitigated_and_forgotten_has_a_known_end(history: Any) -> None:
    """Users had service again after a day: that day is downtime, whatever became of the ticket."""
    row = down(history, "mitigated", "whole")
    assert (row["weighted_downtime_minutes"], row["n_abandoned"]) == (1440, 0)


def test_maintenance_is_no_downtime(history: Any) -> None:
    """A service with nothing but planned work has no row: it had no incident."""
    assert not rows(history, "FROM mart.downtime WHERE scope_value LIKE 'upgrade%'")


def test_which_incidents_used_the_budget(history: Any) -> None:
    """A minute belongs to one incident, so that they add up: the smaller one of two gets only what the larger one leaves."""
    found = rows(
        history,
        """FROM mart.downtime_incidents WHERE service = 'both'
        AND window_start = (SELECT max(window_start) FROM mart.downtime_incidents) ORDER BY place""",
    )
    assert [(row["external_id"], row["weighted_downtime_minutes"]) for row in found] == [
        ("both SEV1", 2 * 1440),
        ("both later", 0.3 * 1440),
    ]
    used = [row["error_budget_used_pct"] for row in found]
    assert sum(used) == pytest.approx(down(history, "both")["error_budget_used_pct"])


def test_the_finding_counts_them_and_names_the_oldest(history: Any) -> None:
    """A warning with the number and five of them, so that somebody closes them."""
    (row,) = rows(history, "FROM mart.data_quality WHERE dq_check = 'abandoned_incidents'")
    assert (row["source"], row["status"], row["n"]) == ("custom", "warn", 6)
    assert row["total"] == 6 + 4  # open: what is alive too
    assert row["examples"][0] == "forgotten" and len(row["examples"]) == 5
    assert "for 7 days" in row["meaning"]


def test_an_end_a_little_after_the_clock_is_cut() -> None:
    """A stamp may be up to five minutes later than as_of. Neither downtime nor its causes reach beyond the window."""
    ends = [(10, -4, "SEV1"), (9, -3, "SEV3"), (2, -5, "SEV1")]
    incidents = [
        Incident(str(n), (None, AS_OF_US - start * MINUTE, *[None] * 4, AS_OF_US - end * MINUTE, None), severity, "api")
        for n, (start, end, severity) in enumerate(ends)
    ]
    with built(TABLES, incidents) as warehouse:
        found = rows(warehouse.con, "FROM mart.downtime WHERE scope = 'service'")
        causes = rows(warehouse.con, "FROM mart.downtime_incidents")
    assert {row["weighted_downtime_minutes"] for row in found} == {10}
    assert {(row["incident_id"], row["weighted_downtime_minutes"]) for row in causes} == {("0", 10)}


def test_the_finding_clears() -> None:
    """Closed at the source, or touched again: nothing is left to say. Without any open incident there is no row at all."""
    alive = Incident("alive", (None, AS_OF_US - 20 * DAY, *[None] * 6), service="api")
    over = Incident("over", (None, AS_OF_US - 20 * DAY, *[None] * 4, AS_OF_US - 19 * DAY, None), service="api")
    for incidents, expected in (([alive, over], [(0, 1, "ok", None)]), ([over], [])):
        with built(("mart.data_quality",), incidents) as warehouse:
            found = rows(warehouse.con, "FROM mart.data_quality WHERE dq_check = 'abandoned_incidents'")
            assert [(row["n"], row["total"], row["status"], row["examples"]) for row in found] == expected


def test_over_at_an_unknown_time_is_not_down_until_now() -> None:
    """A record that says it is over, without a stamp of it, is down until its last event, as far as anybody knows."""
    over = Incident("over", (None, AS_OF_US - 20 * DAY, *[None] * 6), "SEV1", "api")
    with built((), [over]) as warehouse:
        warehouse.con.execute(
            "UPDATE mart.incidents SET status = 'resolved', last_event_at = last_event_at + INTERVAL 3 HOUR"
        )
        for model in needed(TABLES):
            warehouse.build(model)
        found = rows(warehouse.con, "FROM mart.downtime WHERE scope = 'service' AND window_start IS NULL")
        assert [(row["n"], row["n_open"], row["n_abandoned"], row["downtime_minutes"]) for row in found] == [
            (1, 0, 0, 180)
        ]
        assert not rows(warehouse.con, "FROM mart.abandoned_incidents")


def test_the_days_are_configurable(tmp_path: Path) -> None:
    """Whoever closes tickets once a month sets thirty days, and the finding names them."""
    records, configured = [record("quiet", 20), record("dead", 31)], {"lifecycle": {"abandoned_days": 30}}
    tables = ["mart.abandoned_incidents", "figures.findings_abandoned"]
    with door(tmp_path, records, configured=configured, only=tables) as warehouse:
        found = rows(warehouse.con, "FROM mart.abandoned_incidents")
        (finding,) = rows(warehouse.con, "FROM figures.findings_abandoned")
    assert [row["external_id"] for row in found] == ["dead"]
    assert (finding["n"], finding["total"]) == (1, 2) and "for 30 days;" in finding["meaning"]


# --- what people read -------------------------------------------------------------------------------------------------

APART = "Abandoned incidents are not part of downtime."
NOISE = "and neither do incidents that resolved automatically and that nobody acknowledged."
QUIET = "had neither an event nor an update at the vendor for"


@functools.cache
def page(con: Any) -> Reader:
    return Reader(reports.render(reports.documents(con)))


@pytest.fixture(scope="module")
def untroubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Nothing is abandoned, noise counts, one service has weights of its own, and no service has a target."""
    file = {"downtime": {"count_noise": True, "severities": {"SEV2": 0.75}, "services": {"partial": {"SEV3": 1}}}}
    records = [record(name, 10, resolved_at=8, severity="SEV3", affected_users=10) for name in ("partial", "whole")]
    records += [record("shout", 9, resolved_at=8, severity="SEV3", service="WHOLE", revenue_impact=1234.5)]
    records += [record("nowhere", 9, resolved_at=8, service=None)]
    records += [record("flicker", 10, resolved_at=9, resolution_kind="integration"), record("alive", 2)]
    with door(tmp_path_factory.mktemp("untroubled"), records, configured=file) as warehouse:
        yield warehouse.con


def test_the_page_tells_the_rules_in_force(history: Any, untroubled: Any) -> None:
    """Weights, noise and abandoned incidents are settings: each sentence is there only where it is true."""
    said, other = page(history).text, page(untroubled).text
    assert "by its severity (SEV1 and SEV2: 100 %, SEV3: 30 %, SEV4: 0 %). Where" in said
    assert (
        "by its severity (SEV1: 100 %, SEV2: 75 %, SEV3: 30 %, SEV4: 0 %). Some services have parts of their own."
        in other
    )
    assert NOISE in said and NOISE not in other
    assert QUIET in said and QUIET not in other
    assert "no target" in other
    assert "user-minutes" in other and "user-minutes" not in said


def test_what_incidents_cost_stands_at_the_top(history: Any, untroubled: Any) -> None:
    """Users and revenue were seen only inside closed details; where no record states them there is nothing to show."""
    documents = reports.documents(untroubled)
    cards = {card.title: card for card in verdict.cards(documents)}
    card = cards["Cost, last 30 days"]
    assert (str(card.figure.striptags()), [text.striptags() for text in card.texts]) == (
        "57,600 user-minutes",
        [
            "Affected users times minutes down, from the 2 of 6 incidents whose users are known.",
            "Revenue impact: 1,234, stated by 1 incident.",
        ],
    )
    cost = "57,600 user-minutes (2 of 6 incidents with known users); revenue impact 1,234 (stated by 1)"
    assert f" cost          last 30 days: {cost}" in downtime_lines(untroubled)
    assert "Cost, last 30 days" not in page(history).text and not [
        line for line in downtime_lines(history) if line.startswith(" cost ")
    ]
    for row in documents["comparisons"]["downtime"]:
        row["n_users_known"] = 0
    (card,) = (card for card in verdict.cards(documents) if card.title == "Cost, last 30 days")
    assert card.figure.striptags() == "1,234" and len(card.texts) == 1


def test_incidents_without_a_service_have_no_availability(untroubled: Any) -> None:
    """They are of any number of services; what was down for how long is known, of how much time is not."""
    found = rows(untroubled, "FROM mart.downtime WHERE scope_value = 'unknown' AND window_start IS NULL")
    assert [(row["downtime_minutes"], row["availability_pct"]) for row in found] == [(1440, None)]
    said = page(untroubled).text
    assert "any service" not in said and "are down while any of them is." in said


def test_two_spellings_are_told_where_services_are_listed(history: Any, untroubled: Any) -> None:
    """Whoever looks for WHOLE finds its incidents under another name, and is told so; nobody else is."""
    said, told = page(untroubled).text, names_lines(untroubled)
    rule = "Spellings that differ only in capitals, blanks, -, _ or Unicode form are one name:"
    assert f"{rule} custom 1 of 5 spellings, such as whole (shown as WHOLE) ." in said
    assert told == [
        " names         spellings of services and teams that count under another one: custom 1 of 5, such as whole (shown as WHOLE)"
    ]
    assert rule not in page(history).text and names_lines(history) == []


def test_names_stand_as_in_a_dictionary(untroubled: Any) -> None:
    """Capitals first would put WHOLE before alive."""
    documents = reports.documents(untroubled)
    expected = ["alive", "flicker", "partial", "unknown", "WHOLE"]
    for listed in (documents["comparisons"]["service"], documents["comparisons"]["downtime"]):
        assert list(dict.fromkeys(row["scope_value"] for row in listed if row["scope_value"] != "all")) == expected


def test_abandoned_incidents_are_apart_on_the_page(tmp_path: Path, untroubled: Any) -> None:
    """With links, age and last event. The column with them is there if they overlap the window."""
    lost = record("lost", 20, acknowledged_at=19, title="Login fails", url="https://example.test/lost")
    with door(tmp_path, [lost, record("fine", 5, resolved_at=4)]) as warehouse:
        said, lines = page(warehouse.con), reports.markdown(reports.documents(warehouse.con))
        told = downtime_lines(warehouse.con)
    assert APART in said.text and "with abandoned" in said.text
    assert f"1 open incident has {QUIET} 7 days." in said.text
    assert "https://example.test/lost" in {link["href"] for link in said.all("a")}
    assert "Login fails (abandoned)" in said.text and "20.0 days" in said.text
    assert "1 incident is abandoned: open, without an event or an update for 7 days." in lines
    assert "Availability of all services together, last 30 days: " in lines and "with abandoned incidents" in lines
    assert told == [
        " availability  all services together, last 30 days: 95.000 %, with abandoned incidents 90.000 %",
        " abandoned     1 open incident is quiet for at least 19 days; see the table abandoned_incidents",
    ]
    other = page(untroubled)
    assert APART not in other.text and "with abandoned" not in other.text and "(abandoned)" not in other.text
    assert "abandoned:" not in reports.markdown(reports.documents(untroubled))


def test_without_incidents_nothing_is_said_of_downtime(tmp_path: Path) -> None:
    with door(tmp_path) as warehouse:
        text = reports.markdown(reports.documents(warehouse.con))
        assert downtime_lines(warehouse.con) == []
    assert "vailability" not in text and "abandoned" not in text


@pytest.mark.parametrize(
    ("value", "goal", "text"),
    [
        (99.95, 100, "99.950 %"),
        (99.99996, 100, "99.99996 %"),
        (100.0, 100, "100 %"),
        (99.8996, 99.9, "99.8996 %"),
        (99.9004, 99.9, "99.900 %"),
        (151.25, 100, "151.250 %"),
        (100.0004, 100, "100.000 %"),
        (0.0, 100, "0 %"),
    ],
)
def test_availability_is_never_rounded_over_its_target(value: float, goal: float, text: str) -> None:
    """99.8996 of 99.9 is a miss, and three decimals would call it met."""
    assert share(value, goal, 3).striptags() == text
