"""Downtime and abandoned incidents in words: the weights in force, and the lines of a summary."""

from __future__ import annotations

from markupsafe import Markup

from mttr_pipeline.reports import downtime
from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.page.words import listed, plural, share


def weights(rules: Document) -> str:
    """The part of a service that an incident of each severity takes down: `SEV1 and SEV2: 100 %, SEV3: 30 %`."""
    parts: dict[float, list[str]] = {}
    for row in rules["weights"]:
        if row["service"] is None:
            parts.setdefault(row["weight"], []).append(row["severity"])
    return ", ".join(f"{listed(severities)}: {weight * 100:g} %" for weight, severities in parts.items())


def quiet_days(rules: Document) -> str:
    """After how long without an event an open incident is abandoned: `7 days`."""
    days = rules["abandoned_days"]
    return f"{days:g} day" if days == 1 else f"{days:g} days"


def lines(comparisons: Document) -> list[Markup]:
    """One sentence on availability in the last 30 days and one on abandoned incidents, each only if there is something to say."""
    found = []
    for row in downtime.recent(comparisons["downtime"]):
        if row["scope"] == "all" and row["availability_pct"] is not None:
            text = Markup("Availability of all services together, last 30 days: {}").format(
                share(row["availability_pct"], 100, 3)
            )
            if row["availability_with_abandoned_pct"] < row["availability_pct"]:
                text += Markup(", with abandoned incidents {}").format(
                    share(row["availability_with_abandoned_pct"], 100, 3)
                )
            found.append(text + ".")
    if number := comparisons["abandoned_count"]:
        text = Markup("{} abandoned: open, without an event or an update for {}.")
        found.append(
            text.format(plural(number, "incident is", "incidents are"), quiet_days(comparisons["downtime_rules"]))
        )
    return found
