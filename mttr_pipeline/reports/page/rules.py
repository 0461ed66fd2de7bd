"""The rules that keep the page honest: what may be shown, and what may have a colour.

Sections 7 and 8 of the definitions set them; the tables always carry the value, here it is decided whether to say it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mttr_pipeline.reports.kernel import Document

GOAL_PCT = 95
P90_EVENTS = 10  # a 90th percentile of fewer recoveries is one or two incidents
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


def change_colour(row: Document) -> str | None:
    """Colour of a change: none unless q says that chance is an unlikely cause."""
    if row["q"] is None or row["q"] >= SIGNIFICANT_Q:
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
