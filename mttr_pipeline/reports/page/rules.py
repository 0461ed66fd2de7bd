"""The rules that keep the page honest: what may be shown, and what may have a colour.

Sections 7 and 8 of the definitions set them; the tables always carry the value, here it is decided whether to say it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mttr_pipeline.reports.compliance import GOAL_PCT
from mttr_pipeline.reports.document import Document

P90_EVENTS = 10  # a 90th percentile of fewer recoveries is one or two incidents
MEAN_LIMITS_EVENTS = 100  # limits of a capped mean, and of a ratio of two, hold only from so many recoveries on
SIGNIFICANT_Q = 0.05
STALE_AFTER = timedelta(hours=36)  # a nightly source that missed a night
_COLOURS = {"critical": "bad", "warning": "fair", "healthy": "good"}


def colour(row: Document) -> str | None:
    """Colour of a target's status: only where its 95 % limits do not contain the goal, so that chance does not paint."""
    if row["compliance_pct"] is None or row["compliance_low_pct"] < GOAL_PCT <= row["compliance_high_pct"]:
        return None
    return _COLOURS.get(row["status"])


def shows_p90(row: Document) -> bool:
    """Whether a 90th percentile may be said."""
    return row["n_events"] >= P90_EVENTS and row["km_p90"] is not None


def shows_ratio_limits(row: Document) -> bool:
    """Whether the limits of a change may be said; those of a ratio of means need many recoveries on both sides."""
    enough = row["method"] == "hodges_lehmann" or min(row["n_events"], row["previous_n_events"]) >= MEAN_LIMITS_EVENTS
    return enough and row["ratio_low"] is not None and row["ratio_high"] is not None


def change_colour(row: Document) -> str | None:
    """Colour of a change: none unless q says that chance is an unlikely cause, and all of it points one way."""
    if row["q"] is None or row["q"] >= SIGNIFICANT_Q or row["is_mixed"]:
        return None
    return {"faster": "good", "slower": "bad"}.get(row["verdict"])


def is_stale(source: Document, as_of: str) -> bool:
    """Whether a source's newest pull failed, or lies more than a night before the clock of the run."""
    known = source["data_as_of"]
    return (
        source["status"] != "complete"
        or known is None
        or datetime.fromisoformat(as_of) - datetime.fromisoformat(known) > STALE_AFTER
    )
