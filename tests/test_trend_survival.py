"""Kaplan-Meier in the windows of the trend: against the textbook, incident by incident."""

from __future__ import annotations

import math
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support import AS_OF, AS_OF_US, door, rows
from test_survival import MINUTE, agrees, textbook


def history() -> list[dict[str, Any]]:
    """200 incidents of 100 days, ties and open ones among them."""
    chance = random.Random(5)
    found = []
    for number in range(200):
        began = AS_OF - timedelta(minutes=chance.randrange(1, 100 * 24 * 60))
        lasted = chance.choice([0, 5, 30, 30, 240, None, chance.randrange(1, 20_000)])
        ends = None if lasted is None else began + timedelta(minutes=lasted)
        found.append(
            {
                "external_id": f"t{number}",
                "severity": f"SEV{1 + number % 3}",
                "detected_at": began.isoformat(),
                **({} if ends is None or ends > AS_OF else {"resolved_at": ends.isoformat()}),
            }
        )
    return found


@pytest.mark.parametrize("table", ["trend", "trend_by_severity"])
def test_every_window_is_the_textbook_of_its_incidents(table: str, tmp_path: Path) -> None:
    with door(tmp_path, history(), only=[f"mart.{table}"]) as warehouse:
        windows = rows(
            warehouse.con,
            f"""SELECT *, epoch_us(window_start) AS start_us, epoch_us(window_end) AS end_us FROM mart.{table}
            WHERE calculation_type = 'basic'""",
        )
        incidents = rows(
            warehouse.con,
            """SELECT severity, epoch_us(started_at) AS started_us, epoch_us(detected_at) AS from_us, epoch_us(resolved_at) AS to_us
            FROM mart.incidents""",
        )
    assert len({(row["interval"], row["alignment"]) for row in windows}) == 6
    for window in windows:
        observed = [
            ((row["to_us"] or AS_OF_US) - row["from_us"], row["to_us"] is not None)
            for row in incidents
            if window["start_us"] <= row["started_us"] < window["end_us"]
            and window["scope_value"] in ("all", row["severity"])
        ]
        expected = textbook(observed)
        assert (window["n_events"], window["n_events"] + window["n_open"]) == (expected["events"], expected["n"])
        assert window["low_n"] == (expected["events"] < 5)
        for column, name in (
            ("km_median", "q0.5"),
            ("km_median_low", "low0.5"),
            ("km_median_high", "high0.5"),
            ("km_p90", "q0.9"),
            ("km_p90_low", "low0.9"),
            ("km_p90_high", "high0.9"),
            ("rmst_minutes", "mean"),
        ):
            assert agrees(math.nan if window[column] is None else window[column] * MINUTE, expected[name]), (
                window,
                column,
            )
        longest = max((time for time, _ in observed), default=None)
        assert window["longest_minutes"] == (None if longest is None else longest / MINUTE)
        assert window["is_rmst_bound"] == (expected["is_mean_bound"] if observed else None)
