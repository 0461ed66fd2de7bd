"""The pages beside the main one: one of each service and team where there are many, and a list of them all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.members import MemberDetails
from mttr_pipeline.reports.page import deploys, names, verdict
from mttr_pipeline.reports.page.render import page
from mttr_pipeline.reports.page.view import NO_COMPARISON, comparisons_of, periods


def pages(
    documents: Mapping[str, Document], extra: Mapping[str, Mapping[str, MemberDetails]]
) -> Iterator[tuple[str, str]]:
    """Path in the generation -> HTML, one after the other. `extra` has what the documents lack, by dimension and member."""
    comparisons, is_red = documents["comparisons"], verdict.is_red(documents)
    paths = names.with_pages(comparisons)
    links = {
        dimension: {name: path.replace("report/", "../") for name, path in members.items()}
        for dimension, members in paths.items()
    }
    compared, targets, downtime = comparisons_of(comparisons), _targets(documents["compliance"]), _downtime(comparisons)
    delivery = _delivery(documents["delivery"])
    for dimension, members in paths.items():
        if not members:
            continue
        history = {row["scope_value"]: row for row in comparisons[dimension] if row["window_start"] is None}
        recent = {row["scope_value"]: row for row in comparisons[dimension] if row["window_start"] is not None}
        shared: dict[str, Any] = {"summary": documents["summary"], "dimension": dimension}
        values = {
            **shared,
            "warning": verdict.warning(documents, "../report.html"),
            "search_label": f"Search {names.DIMENSIONS[dimension]}",
            "rows": [{**row, "recent": recent[name]} for name, row in history.items()],
            "links": {name: path.replace("report/", "") for name, path in members.items()},
            "without_page": len(history) - len(members),
        }
        yield f"report/{names.DIMENSIONS[dimension]}.html", page("members.html.j2", values, is_red=is_red)
        shared |= {
            "warning": verdict.warning(documents, "../../report.html"),
            "links": links,
            "relative": links["service"],
            "window": documents["delivery"]["window_minutes"],
        }
        for name, path in members.items():
            values = {
                **shared,
                "name": name,
                "extra": extra[dimension].get(name, _NOTHING),
                "history": history[name],
                "recent": recent[name],
                "change": compared["changes"].get((dimension, name), NO_COMPARISON),
                "frequency": compared["frequency"].get((dimension, name), NO_COMPARISON),
                "target_rows": targets[name] if dimension == "service" else [],
                "downtime": downtime[name] if dimension == "service" else [],
                "delivery": delivery.get((dimension, name), []),
            }
            yield path, page("member.html.j2", values, is_red=is_red)


_NOTHING = MemberDetails()


def _targets(compliance: Document) -> dict[str, list[Document]]:
    """Service -> its rows that have an incident, each with the name of its period."""
    named = periods(compliance["targets"])
    found = defaultdict(list)
    for row in sorted(compliance["targets"], key=lambda row: (row["severity"], row["window_start"] or "")):
        if row["service"] is not None and row["incidents_count"] + row["pending"]:
            found[row["service"]].append({**row, "period": named[row["window_start"]]})
    return found


def _downtime(comparisons: Document) -> dict[str, list[Document]]:
    """Service -> its downtime in each period."""
    named = periods(comparisons["downtime"])
    found = defaultdict(list)
    for row in comparisons["downtime"]:
        if row["scope"] == "service":
            found[row["scope_value"]].append({**row, "period": named[row["window_start"]]})
    return found


def _delivery(delivery: Document) -> dict[tuple[str, str], list[tuple[str, Document]]]:
    """Dimension and member -> its delivery figures in each period, for those with a deploy to production that ran."""
    found = defaultdict(list)
    for row in delivery["figures"]:
        found[row["scope"], row["scope_value"]].append(row)
    return {
        member: deploys.periods(rows)
        for member, rows in found.items()
        if any(row["deployment_frequency"]["n"] for row in rows)
    }
