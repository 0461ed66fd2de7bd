"""The rules that keep the page honest: what may be shown, and what may have a colour."""

from __future__ import annotations

from mttr_pipeline.reports.kernel import Document

GOAL_PCT = 95
COLOURS = {"critical": "bad", "warning": "fair", "healthy": "good"}


def colour(row: Document) -> str | None:
    """Colour of a target's status: only where its 95 % limits do not contain the goal, so that chance does not paint."""
    if row["compliance_pct"] is None or row["compliance_low_pct"] < GOAL_PCT <= row["compliance_high_pct"]:
        return None
    return COLOURS.get(row["status"])
