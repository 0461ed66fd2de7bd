"""What the page says, worked out from the documents: the verdict in words, the charts, the rows that are shown.

No figure is computed here; where a word depends on one (a colour, "not enough data"), the rule stands in `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mttr_pipeline.reports.kernel import Document
from mttr_pipeline.reports.page import charts, rules, words

SECTIONS = {
    "phases": "Where the time goes",
    "targets": "Targets",
    "breaches": "Worst breaches",
    "bottlenecks": "Bottlenecks, and what to do",
    "quality": "Data quality",
    "definitions": "What the words mean",
}


def context(documents: Mapping[str, Document]) -> dict[str, Any]:
    """Everything the templates need."""
    summary, compliance, quality = (documents[name] for name in ("summary", "compliance", "data_quality"))
    bottlenecks = documents["bottlenecks"]
    strategies = [row for row in bottlenecks["recommendations"] if row["window_start"]]
    shares = [row for row in summary["phase_breakdown"] if row["share_pct"] is not None]
    recent, rows = _targets(compliance)
    return {
        **documents,
        "sections": SECTIONS.items(),
        "lead": "",
        "phases": charts.figure(charts.phases(shares), _shares_said(shares)) if shares else None,
        "phase_n": next((row["share_n"] for row in summary["phase_breakdown"] if row["share_n"] is not None), 0),
        "targets": charts.figure(charts.targets(recent), _targets_said(recent)) if recent else None,
        "target_rows": rows,
        "opportunity": next((row for row in bottlenecks["opportunities"] if _is_overall(row)), None),
        "bottleneck_rows": [
            {**row, "strategies": [each for each in strategies if each["phase"] == row["phase"]]}
            for row in bottlenecks["last_30_days"]
            if row["scope"] == "all"
        ],
        "warnings": [row for row in quality["findings"] if row["status"] == "warn"],
        "terms": [],
    }


def _is_overall(row: Document) -> bool:
    return row["scope"] == "all" and row["window_start"] is not None


def _shares_said(rows: list[Document]) -> str:
    return "Bar chart. " + ", ".join(f"{row['phase']} {row['share_pct']:.0f} %" for row in rows) + "."


def _targets(compliance: Document) -> tuple[list[Document], list[Document]]:
    """The rows of whole severities: those of the last 90 days with data, and all of them with a word and a colour."""
    spans = sorted({row["window_start"] for row in compliance["targets"] if row["window_start"]})
    names = dict(zip([None, *spans], ["whole history", "last 90 days", "last 30 days"], strict=False))
    rows = [
        {**row, "period": names[row["window_start"]], "word": words.status(row["status"]), "colour": rules.colour(row)}
        for row in compliance["targets"]
        if row["service"] is None
    ]
    rows.sort(key=lambda row: (row["severity"], row["window_start"] or ""), reverse=False)
    return [row for row in rows if row["period"] == "last 90 days" and row["incidents_count"]], rows


def _targets_said(rows: list[Document]) -> str:
    return "Chart of the share within target. " + " ".join(
        f"{row['severity']}: {row['compliance_pct']:.0f} %, limits {row['compliance_low_pct']:.0f} to "
        f"{row['compliance_high_pct']:.0f} %, n = {row['incidents_count']}."
        for row in rows
    )
