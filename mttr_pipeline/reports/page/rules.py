"""When the page may show a figure, and when it may use a colour.

The minimum n of each figure and the rule for colours are part of the metric definitions (docs/metrics.md). Tables and JSON
always hold the value; only the page leaves it out.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mttr_pipeline.reports.compliance import GOAL_PCT
from mttr_pipeline.reports.document import Document

P90_EVENTS = 10  # with fewer recoveries, a 90th percentile is one or two incidents
MEAN_LIMITS_EVENTS = 100  # limits of a capped mean, and of a ratio of two, need this many recoveries
SIGNIFICANT_Q = 0.05
SHARES_N = 20  # incidents that have every phase
SHARES_COVERAGE_PCT = 25  # or this part of the resolved incidents
MEDIAN_N = 5  # a median over deploys, post-mortems, pages or assignments needs so many
SESSIONS_N = 100  # with fewer sessions of a release nothing is said of its health
STALE_AFTER = timedelta(hours=36)  # a nightly source that missed a night
_COLOURS = {"critical": "bad", "warning": "fair", "healthy": "good"}


def target_colour(row: Document) -> str | None:
    """Colour of a target's status: of a miss and of a success only where chance is an unlikely cause, else None."""
    if row["is_missed"] or (row["compliance_pct"] is not None and row["compliance_low_pct"] >= GOAL_PCT):
        return _COLOURS.get(row["status"])
    return None


def shows_shares(n: int | None, coverage_pct: float | None) -> bool:
    """Whether the page may show the shares of phases: of 20 incidents, or of a quarter of the resolved ones."""
    return n is not None and n > 0 and (n >= SHARES_N or (coverage_pct or 0) >= SHARES_COVERAGE_PCT)


def shows_opportunity(row: Document) -> bool:
    """Whether the page may name the phase that takes the most time: phases measure at least half of the minutes."""
    return bool(row["total_minutes"]) and bool(row["unmeasured_pct"] <= 50)


def shows_p90(row: Document) -> bool:
    """Whether the page may show the 90th percentile."""
    return row["n_events"] >= P90_EVENTS and row["km_p90"] is not None


def shows_ratio_limits(row: Document) -> bool:
    """Whether the page may show the limits of a change. Those of a ratio of means need many recoveries in both periods."""
    enough = row["method"] == "hodges_lehmann" or min(row["n_events"], row["previous_n_events"]) >= MEAN_LIMITS_EVENTS
    return enough and row["ratio_low"] is not None and row["ratio_high"] is not None


def change_colour(row: Document) -> str | None:
    """Colour of a change. None unless q is significant, the ratio agrees and the verdict does not hang on abandoned incidents."""
    if row["q"] is None or row["q"] >= SIGNIFICANT_Q or row["is_mixed"] or row["hangs_on_abandoned"]:
        return None
    return {"faster": "good", "slower": "bad"}.get(row["verdict"])


def shows_in_median(row: Document) -> bool:
    """Whether the typical recovery alone shows a verdict of faster or slower.

    It does where the median of one period moved in that direction beyond the 95 % limits of the other. A median that is not reached
    is longer than one that is.
    """
    sides = [[row[f"{period}km_median{end}"] for end in ("", "_low", "_high")] for period in ("previous_", "")]
    (long, long_low, _), (short, _, short_high) = sides if row["verdict"] == "faster" else reversed(sides)
    if short is None or long is None:
        return short is not None
    return short < long and (
        (long_low is not None and short < long_low) or (short_high is not None and short_high < long)
    )


def shows_median(n: int) -> bool:
    """Whether the page may show a median over deploys, post-mortems, pages or assignments."""
    return n >= MEDIAN_N


def shows_health(sessions: int) -> bool:
    """Whether the chart of releases may show one with so many sessions."""
    return sessions >= SESSIONS_N


def health_colour(row: Document) -> str | None:
    """Colour of a release: only of a verdict of the test."""
    if row["q"] is None or row["q"] >= SIGNIFICANT_Q:
        return None
    return {"better": "good", "worse": "bad"}.get(row["verdict"])


def is_stale(source: Document, as_of: str) -> bool:
    """Whether the newest pull of a source failed, or its data ends more than 36 hours before `as_of`."""
    data_as_of = source["data_as_of"]
    return (
        source["status"] != "complete"
        or data_as_of is None
        or datetime.fromisoformat(as_of) - datetime.fromisoformat(data_as_of) > STALE_AFTER
    )
