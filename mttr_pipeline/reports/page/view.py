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
from mttr_pipeline.reports.page import charts, deploys, errors, learned, names, outages, rules, verdict, words
from mttr_pipeline.reports.page.terms import DELIVERY, ERRORS, LEARNING, TERMS

NO_COMPARISON: Document = {"verdict": "not enough data", "q": None, "is_mixed": False, "hangs_on_abandoned": False}
SECTIONS = {
    "trend": "Trend",
    "phases": "Where the time goes",
    "targets": "Targets",
    "breaches": "Worst breaches",
    "open": "Open and past target",
    "compare": "Severities, services and teams",
    "delivery": "Delivery",
    "errors": "Errors",
    "learning": "Learning",
    "bottlenecks": "Bottlenecks and recommendations",
    "quality": "Data quality",
    "definitions": "Definitions",
}


#: Those that are shown only where there is something, in their order.
_OPTIONAL = ("delivery", "errors", "learning")


def context(documents: Mapping[str, Document]) -> dict[str, Any]:
    """Everything the templates need."""
    summary, compliance, quality = (documents[name] for name in ("summary", "compliance", "data_quality"))
    bottlenecks = documents["bottlenecks"]
    strategies = [row for row in bottlenecks["recommendations"] if row["window_start"]]
    shares = _shares(summary["phase_breakdown"], "")
    recent = [row for row in recent_targets(compliance["targets"]) if row["incidents_count"]]
    weeks = weeks_of(documents["trend"])
    compared, unlisted = _compared(documents["comparisons"])
    down, unlisted["downtime"] = _recent_downtime(documents["comparisons"])
    delivered, tracked, learning = (part.section(documents) for part in (deploys, errors, learned))
    missing = {name for name, part in zip(_OPTIONAL, (delivered, tracked, learning), strict=True) if not part}
    return {
        **documents,
        "sections": [(name, text) for name, text in SECTIONS.items() if name not in missing],
        "delivered": delivered,
        "tracked": tracked,
        "learned": learning,
        "search_label": "Search services, teams, breaches and findings",
        "pages": {"severity": {}, **names.with_pages(documents["comparisons"])},
        "warning": verdict.warning(documents),
        "lead": verdict.lead(summary),
        "attention": verdict.attention(documents),
        "cards": verdict.cards(documents),
        "weeks": weeks,
        "trend_chart": charts.figure(charts.trend, weeks, _trend_label(weeks)) if has_data(weeks) else None,
        "phases": charts.figure(charts.phases, shares["rows"], _shares_label(shares["rows"]))
        if shares["is_shown"] and shares["rows"]
        else None,
        "shares": shares,
        "shares_from_occurred": _shares(summary["phase_breakdown"], "from_occurred_"),
        "has_phases": any(row["n"] for row in summary["phase_breakdown"]),
        "targets": charts.figure(charts.targets, recent, _targets_label(recent)) if recent else None,
        "target_rows": _target_rows(compliance),
        "phase_targets": recent_targets(compliance["phases"], "severity"),
        "compared": compared,
        "downtime": down,
        "unlisted": unlisted,
        "weights": outages.weights(documents["comparisons"]["downtime_rules"]),
        "directions": documents["trend"]["directions"],
        "opportunity": next(
            (row for row in bottlenecks["opportunities"] if _is_overall(row) and rules.shows_opportunity(row)), None
        ),
        "bottleneck_rows": [
            {**row, "strategies": [each for each in strategies if each["phase"] == row["phase"]]}
            for row in bottlenecks["last_30_days"]
            if row["scope"] == "all"
        ],
        "lights": {row["source"]: row for row in quality["lights"]},
        "stale": [row["source"] for row in quality["sources"] if rules.is_stale(row, quality["as_of"])],
        "folded": [row for row in quality["findings"] if row["dq_check"] == "spellings_folded" and row["examples"]],
        "warnings": [row for row in quality["findings"] if row["status"] == "warn"],
        "counted_once": next((row for row in quality["correlation"] if row["scope"] == "all" and row["joined"]), None),
        "joint": [row for row in quality["correlation"] if row["scope"] == "pair"],
        "terms": (
            TERMS
            + (DELIVERY if delivered and delivered["ran"] else ())
            + (ERRORS if tracked else ())
            + (LEARNING if learning else ())
        ),
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


def _compared(comparisons: Document) -> tuple[dict[str, list[Document]], dict[str, int]]:
    """Dimension -> its members with an incident in the last 30 days, each with its change and its frequency; and how many
    members have none."""
    found = comparisons_of(comparisons)
    recent = {
        dimension: [
            {
                **row,
                "change": found["changes"].get((dimension, row["scope_value"]), NO_COMPARISON),
                "frequency": found["frequency"].get((dimension, row["scope_value"]), NO_COMPARISON),
            }
            for row in comparisons[dimension]
            if row["window_start"] is not None
        ]
        for dimension in DIMENSIONS
    }
    listed = {name: [row for row in rows if row["incidents_matched"]] for name, rows in recent.items()}
    return listed, {name: len(rows) - len(listed[name]) for name, rows in recent.items()}


def comparisons_of(comparisons: Document) -> dict[str, dict[tuple[str, str], Document]]:
    """`changes` and `frequency`, by dimension and member."""
    return {
        name: {(row["scope"], row["scope_value"]): row for row in comparisons[name]}
        for name in ("changes", "frequency")
    }


def _recent_downtime(comparisons: Document) -> tuple[list[Document], int]:
    """The downtime of the last 30 days of services with an incident in them, and how many services have none."""
    rows = downtime.recent(comparisons["downtime"])
    listed = [row for row in rows if row["n"] or row["n_abandoned"] or row["scope"] == "all"]
    return listed, len(rows) - len(listed)


def _is_overall(row: Document) -> bool:
    return row["scope"] == "all" and row["window_start"] is not None


def _shares(phases: list[Document], kind: str) -> Document:
    """The phases that have a share of one kind, its n, and its coverage of the resolved incidents."""
    counted = next((row for row in phases if row[f"{kind}share_n"] is not None), None)
    found = {name: counted[f"{kind}{name}"] if counted else None for name in ("share_n", "coverage_pct")}
    return {
        "rows": [row for row in phases if row[f"{kind}share_pct"] is not None],
        "n": found["share_n"] or 0,
        "coverage_pct": found["coverage_pct"],
        "resolved": counted["incidents_with_recovery"] if counted else 0,
        "is_shown": rules.shows_shares(found["share_n"], found["coverage_pct"]),
    }


def _shares_label(rows: list[Document]) -> str:
    return (
        "Bar chart of the share of each phase. "
        + ", ".join(f"{row['phase']} {row['share_pct']:.0f} %" for row in rows)
        + "."
    )


def periods(rows: list[Document]) -> dict[str | None, str]:
    """The start of each window of these rows -> its name."""
    spans = sorted({row["window_start"] for row in rows if row["window_start"]})
    return dict(zip([None, *spans], ["whole history", "last 90 days", "last 30 days"], strict=False))


def _target_rows(compliance: Document) -> list[Document]:
    """The rows of whole severities, each with the name of its period and its colour."""
    named = periods(compliance["targets"])
    rows = [
        {
            **row,
            "period": named[row["window_start"]],
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
