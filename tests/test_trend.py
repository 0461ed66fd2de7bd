"""The trend's windows against the time zone database, its figures against the plain-Python reference."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import strategies as st
from mart_cases import AS_OF, AS_OF_US, NOTHING_USEFUL, alone, built, incidents, many, rows, same, sets_of, window
from reference_targets import DAY, HOUR, PHASES, VARIANTS, Incident, microseconds, trend_row, windows

from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import Warehouse

TABLES = ("mart.trend", "mart.trend_by_severity")
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # shifts by half an hour
    "Asia/Beirut",  # clocks change at midnight
    "America/Havana",  # midnight comes twice
    "America/Sao_Paulo",  # until 2019 some midnights did not exist
    "Pacific/Apia",  # 30 December 2011 did not exist
)
# In local time of Berlin: the night of 25 October 2026 has the hour from 2 to 3 twice, that of 29 March has it not at all.
SPECIAL = [
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # the first 2:30
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),  # the second 2:30
    datetime(2026, 11, 25, 1, 30, tzinfo=UTC),  # a month later: 2:30 was twice
    datetime(2026, 4, 29, 0, 30, tzinfo=UTC),  # a month later: 2:30 was not
    datetime(2026, 10, 24, 22, 0, tzinfo=UTC),  # midnight
    datetime(2026, 10, 25, 23, 0, tzinfo=UTC),  # midnight before a Monday
    datetime(2026, 10, 31, 23, 0, tzinfo=UTC),  # midnight before the first
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 5, 31, 12, tzinfo=UTC),  # February has no 31st
    datetime(2024, 5, 29, 12, tzinfo=UTC),  # February had a 29th
    datetime(2012, 1, 15, tzinfo=UTC),
    datetime(2017, 12, 1, 2, tzinfo=UTC),
]


def _windows(warehouse: Warehouse) -> dict[tuple[str, str], list[tuple[int, int, bool]]]:
    found: dict[tuple[str, str], list[tuple[int, int, bool]]] = {}
    for row in rows(warehouse, "FROM core.trend_windows ORDER BY window_id"):
        key = row["interval"], row["alignment"]
        found.setdefault(key, []).append((row["start_us"], row["end_us"], row["is_partial"]))
    return found


def test_windows_of_every_zone() -> None:
    """Midnights, Mondays and firsts of the month where clocks change; both ends clipped; no gap and no overlap."""
    model = next(model for model in default_catalog() if model.table == "core.trend_windows")
    moments = st.integers(
        microseconds(datetime(2011, 6, 1, tzinfo=UTC)), microseconds(datetime(2026, 12, 31, tzinfo=UTC))
    )
    drawn = sets_of(st.tuples(moments, st.sampled_from(ZONES)), 60)
    cases = [
        (microseconds(at), zone)
        for at in SPECIAL
        for zone in ("Europe/Berlin", "UTC", "Pacific/Apia", "America/Sao_Paulo")
    ]
    with built(("core.trend_windows",), []) as warehouse:
        for as_of, zone in [*cases, *drawn]:
            warehouse.con.execute(
                "UPDATE config.run SET as_of = make_timestamp(?), reporting_time_zone = ?", [as_of, zone]
            )
            warehouse.build(model)
            found = _windows(warehouse)
            assert found == windows(as_of, zone), (as_of, zone)
            for parts in found.values():
                assert parts[0][0] == as_of - 90 * DAY and parts[-1][1] == as_of
                assert all(before[1] == after[0] for before, after in itertools.pairwise(parts))
                assert not any(partial for _, _, partial in parts[1:-1])


def test_a_window_that_fits_is_not_partial() -> None:
    """as_of on a boundary: the last window is whole, and no empty one begins there."""
    with built(("core.trend_windows",), [], as_of=datetime(2026, 11, 2, tzinfo=UTC)) as warehouse:
        found = _windows(warehouse)
        assert found["week", "calendar"][-1] == (
            microseconds(datetime(2026, 10, 26, tzinfo=UTC)),
            microseconds(datetime(2026, 11, 2, tzinfo=UTC)),
            False,
        )
        assert len(found["day", "calendar"]) == len(found["day", "rolling"]) == 90
        assert not any(partial for _, _, partial in found["day", "calendar"])
        assert found["month", "calendar"][-1][2] is True


def _compare(
    warehouse: Warehouse,
    drawn: list[Incident],
    as_of: int,
    zone: str,
    model: str,
    variants: dict[str, tuple[int, int]] = VARIANTS,
) -> None:
    groups: dict[tuple[str, str, str], list[Incident]] = {("mart.trend", "all", "all"): drawn}
    for severity in sorted({incident.severity for incident in drawn}):
        members = [incident for incident in drawn if incident.severity == severity]
        groups["mart.trend_by_severity", "severity", severity] = members
    expected: dict[Any, dict[str, Any]] = {}
    for (interval, alignment), parts in windows(as_of, zone).items():
        for start, end, partial in parts:
            for (table, scope, member), group in groups.items():
                for variant, span in variants.items():
                    expected[table, interval, alignment, start, variant, scope, member] = {
                        "window_end": end,
                        "is_partial": partial,
                        "phase_model": model,
                        **trend_row(group, (start, end), model, span),
                    }
    found = {
        (
            *(table, row["interval"], row["alignment"], row["window_start"]),
            *(row["calculation_type"], row["scope"], row["scope_value"]),
        ): row
        for table in TABLES
        for row in rows(warehouse, f"FROM {table}")
    }
    assert set(found) == set(expected)
    for key, row in expected.items():
        same(found[key], row, key)


@pytest.mark.parametrize("model", list(PHASES))
def test_many_incidents(model: str) -> None:
    """Every window, variant and severity of one history, a configured variant among them."""
    drawn = many(40)
    file = {
        "phase_model": model,
        "reporting_time_zone": "Europe/Berlin",
        "variants": {"to_fix": {"start": "acknowledged_at", "end": "mitigated_at"}},
    }
    with built(TABLES, drawn, file) as warehouse:
        _compare(warehouse, drawn, AS_OF_US, "Europe/Berlin", model, VARIANTS | {"to_fix": (2, 5)})


def test_drawn_histories_and_clocks() -> None:
    """Small histories, each with a clock and a zone of its own; incidents on the very edges of days and of the span."""
    names = st.sampled_from(ZONES)
    moments = st.one_of(st.sampled_from(SPECIAL).map(microseconds), st.integers(AS_OF_US - 400 * DAY, AS_OF_US))
    clocks = sets_of(st.tuples(moments, names), 5)
    for as_of, zone in clocks:
        history = sets_of(st.lists(incidents(as_of=as_of, reach=95 * DAY), max_size=6), 3)[-1]
        edges = [at for parts in windows(as_of, zone).values() for part in parts[:2] + parts[-2:] for at in part[:2]]
        on_edges = [
            Incident(f"edge {number}", (None, at, None, None, None, None, at + number * HOUR, None))
            for number, at in enumerate(sorted({at + off for at in edges for off in (-1, 0)}))
            if at < as_of
        ]
        drawn = [*history, *on_edges]
        moment = datetime.fromtimestamp(as_of // 1_000_000, UTC).replace(microsecond=as_of % 1_000_000)
        file = {"reporting_time_zone": zone, "phase_model": "coarse"}
        with built(TABLES, drawn, file, as_of=moment) as warehouse:
            _compare(warehouse, drawn, as_of, zone, "coarse")


@pytest.mark.parametrize("kind", NOTHING_USEFUL)
def test_nothing_useful(kind: str) -> None:
    """Windows are there all the same: counts of zero, no figures; what is only open is immature."""
    drawn = NOTHING_USEFUL[kind]
    with built(TABLES, drawn, {"phase_model": "coarse"}) as warehouse:
        _compare(warehouse, drawn, AS_OF_US, "UTC", "coarse")
        query = "SELECT count(*) AS n FROM mart.trend WHERE immature AND calculation_type = 'basic'"
        assert rows(warehouse, query) == [{"n": 6 if kind == "only open" else 0}]


def test_rolling_windows_are_the_summary_windows_too() -> None:
    """What the last rolling windows count is what the calculation counts over the same bounds."""
    drawn = [alone(None, 1, 1, number=1), alone(None, 24 * 60 - 0.5, number=2), alone(None, 24 * 60, number=3)]
    with built(TABLES, drawn) as warehouse:
        (row,) = rows(
            warehouse,
            """SELECT incident_count, window_end FROM mart.trend WHERE "interval" = 'day' AND alignment = 'rolling'
            AND calculation_type = 'basic' ORDER BY window_start DESC LIMIT 1""",
        )
        assert row == {"incident_count": 3, "window_end": microseconds(AS_OF)}
    assert window(1) == (AS_OF_US - DAY, AS_OF_US)
