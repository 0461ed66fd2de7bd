"""What the templates receive, selected from the documents: the verdict in words, the charts, the rows.

No figure is computed here. `rules` decides where a text or a colour depends on a figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mttr_pipeline.reports import downtime
from mttr_pipeline.reports.comparisons import DIMENSIONS
from mttr_pipeline.reports.compliance import recent as recent_targets
from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.page import charts, outages, rules, verdict, words
from mttr_pipeline.reports.page.terms import TERMS

_NO_COMPARISON: Document = {"verdict": "not enough data", "q": None, "is_mixed": False}
SECTIONS = {
    "trend": "Trend",
    "phases": "Where the time goes",
    "targets": "Targets",
    "breaches": "Worst breaches",
    "open": "Open and past target",
    "compare": "Severities, services and teams",
    "bottlenecks": "Bottlenecks and recommendations",
    "quality": "Data quality",
    "definitions": "Definitions",
}


def context(documents: Mapping[str, Document]) -> dict[str, Any]:
    """Everything the templates need."""
    summary, compliance, quality = (documents[name] for name in ("summary", "compliance", "data_quality"))
    bottlenecks = documents["bottlenecks"]
    strategies = [row for row in bottlenecks["recommendations"] if row["window_start"]]
    shares = [row for row in summary["phase_breakdown"] if row["share_pct"] is not None]
    recent = [row for row in recent_targets(compliance["targets"]) if row["incidents_count"]]
    weeks = weeks_of(documents["trend"])
    return {
        **documents,
        "sections": SECTIONS.items(),
        "lead": verdict.lead(summary),
        "attention": verdict.attention(documents),
        "cards": verdict.cards(documents),
        "weeks": weeks,
        "trend_chart": charts.figure(charts.trend(weeks), _trend_label(weeks)) if has_data(weeks) else None,
        "phases": charts.figure(charts.phases(shares), _shares_label(shares)) if shares else None,
        "phase_n": next((row["share_n"] for row in summary["phase_breakdown"] if row["share_n"] is not None), 0),
        "targets": charts.figure(charts.targets(recent), _targets_label(recent)) if recent else None,
        "target_rows": _target_rows(compliance),
        "phase_targets": recent_targets(compliance["phases"], "severity"),
        "compared": _compared(documents["comparisons"]),
        "downtime": downtime.recent(documents["comparisons"]["downtime"]),
        "weights": outages.weights(documents["comparisons"]["downtime_rules"]),
        "directions": documents["trend"]["directions"],
        "opportunity": next((row for row in bottlenecks["opportunities"] if _is_overall(row)), None),
        "bottleneck_rows": [
            {**row, "strategies": [each for each in strategies if each["phase"] == row["phase"]]}
            for row in bottlenecks["last_30_days"]
            if row["scope"] == "all"
        ],
        "lights": {row["source"]: row for row in quality["lights"]},
        "stale": [row["source"] for row in quality["sources"] if rules.is_stale(row, quality["as_of"])],
        "warnings": [row for row in quality["findings"] if row["status"] == "warn"],
        "terms": TERMS,
    }


def weeks_of(trend: Document) -> list[Document]:
    """The windows of `trend` that are calendar weeks, oldest first."""
    return [row for row in trend["windows"] if (row["interval"], row["alignment"]) == ("week", "calendar")]


def has_data(weeks: list[Document]) -> bool:
    """Whether any week has an incident."""
    return any(row["incident_count"] for row in weeks)


def _trend_label(weeks: list[Document]) -> str:
    """The first and the last week; the table below the chart has the numbers of every week."""
    measured = [row for row in weeks if not row["low_n"]]
    ends = " ".join(
        f"Typical recovery in the week of {row['window_start'][:10]}: "
        + (words.duration(row["km_median"]) if row["km_median"] is not None else "not reached")
        + "."
        for row in (*measured[:1], *measured[1:][-1:])
    )
    return (
        f"Chart of {len(weeks)} weeks with {sum(row['incident_count'] for row in weeks):,} incidents. "
        f"{ends or 'No week has 5 or more recoveries.'} "
        f"Weeks with open incidents: {sum(row['immature'] for row in weeks)}."
    )


def _compared(comparisons: Document) -> dict[str, list[Document]]:
    """Dimension -> its members in the last 30 days, each with its change and its frequency."""
    found: dict[str, dict[tuple[str, str], Document]] = {
        name: {(row["scope"], row["scope_value"]): row for row in comparisons[name]}
        for name in ("changes", "frequency")
    }
    return {
        dimension: [
            {
                **row,
                "change": found["changes"].get((dimension, row["scope_value"]), _NO_COMPARISON),
                "frequency": found["frequency"].get((dimension, row["scope_value"]), _NO_COMPARISON),
            }
            for row in comparisons[dimension]
            if row["window_start"] is not None
        ]
        for dimension in DIMENSIONS
    }


def _is_overall(row: Document) -> bool:
    return row["scope"] == "all" and row["window_start"] is not None


def _shares_label(rows: list[Document]) -> str:
    return (
        "Bar chart of the share of each phase. "
        + ", ".join(f"{row['phase']} {row['share_pct']:.0f} %" for row in rows)
        + "."
    )


def _target_rows(compliance: Document) -> list[Document]:
    """The rows of whole severities, each with the name of its period and its colour."""
    spans = sorted({row["window_start"] for row in compliance["targets"] if row["window_start"]})
    names = dict(zip([None, *spans], ["whole history", "last 90 days", "last 30 days"], strict=False))
    rows = [
        {
            **row,
            "period": names[row["window_start"]],
            "word": words.status(row["status"]),
            "colour": rules.target_colour(row),
        }
        for row in compliance["targets"]
        if row["service"] is None
    ]
    return sorted(rows, key=lambda row: (row["severity"], row["window_start"] or ""))


def _targets_label(rows: list[Document]) -> str:
    return "Chart of the share of incidents within target. " + " ".join(
        f"{row['severity']}: {row['compliance_pct']:.1f} %, 95 % limits {row['compliance_low_pct']:.1f} to "
        f"{row['compliance_high_pct']:.1f} %, n = {row['incidents_count']:,}."
        for row in rows
    )
