"""Errors in words: what the section Errors shows, and what ties an error to an incident."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape

from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.page import charts, rules
from mttr_pipeline.reports.page.words import count, day, listed, plural, short_version

_STATES = {"confirmed": "held", "ineffective": "did not hold", "pending": "pending", "unknown": "not known"}
CLASSES = {"new": "new", "regression": "back after a resolve", "spike": "spiking", "ongoing": "ongoing"}
_METHODS = {
    "link": "linked",
    "release": "new with the deploy linked to it, near in time",
    "service and time": "of this service, near in time",
}


def section(documents: Mapping[str, Document]) -> dict[str, Any] | None:
    """What the section Errors shows; None where neither an issue nor a session is known, and then there is no such section."""
    errors = documents["errors"]
    if not errors["coverage"] and not errors["releases"]:
        return None
    drawn = _newest([row for row in errors["releases"] if rules.shows_health(row["sessions"])])[: charts.MOST_BARS]
    return {
        "newest": _newest(errors["releases"]),
        "chart": charts.figure(charts.crash_free, drawn, _label(drawn)) if drawn else None,
        "coverage": errors["coverage"],
        "all": next(iter(errors["coverage"]), None),
        "classes": _joined(_classes(errors)),
        "fixes": _joined(_fixes(errors["fixes"])) if errors["fixes"] else "",
    }


def _newest(releases: list[Document]) -> list[Document]:
    """The newest release of each service, the latest first."""
    found = [next(rows) for _, rows in groupby(releases, key=lambda row: row["service"])]
    return sorted(found, key=lambda row: row["released_at"] or "", reverse=True)


def _classes(errors: Document) -> list[Markup]:
    return [
        Markup("{} {}").format(count(row["n"]), CLASSES[row["class"]])
        for row in errors["counts"]
        if row["status"] == "unresolved" and row["class"]
    ]


def _fixes(fixes: Document) -> list[Markup]:
    return [Markup("{} {}").format(count(fixes[state]), words) for state, words in _STATES.items() if fixes[state]]


def verdict(row: Document) -> str:
    """The verdict of the test of a release, or why there is none."""
    if row["verdict"]:
        return str(row["verdict"])
    if row["version_before"] is None:
        return "no release before it"
    return "not enough sessions"


def tied(row: Document) -> str:
    """What ties an issue to an incident: `linked`, or that it is only near in time."""
    return _METHODS[row["method"]]


def reason(row: Document) -> Markup:
    """Why an issue has its place, with dates as the page writes them."""
    return Markup(re.sub(r"\b\d{4}-\d\d-\d\d\b", lambda found: day(found[0]), str(escape(row["triage_reason"]))))


def post_mortem(row: Document) -> Markup:
    """The state of a post-mortem with its day."""
    if row["state"] == "completed":
        text = Markup("completed {}").format(day(row["completed_at"]))
        return text if row["on_time"] is None else text + (", on time" if row["on_time"] else ", late")
    if row["state"] == "missing":
        return Markup("none is known, due {}").format(day(row["due_at"]))
    if row["state"] == "not due":
        return Markup("none yet, due {}").format(day(row["due_at"]))
    text = Markup("not completed")
    return text if row["due_at"] is None else text + Markup(", due {}").format(day(row["due_at"]))


def name_of(row: Document) -> str:
    """What people call an issue: its title, else its key or id."""
    return str(row["title"] or row["key"] or row["external_id"])


def lines(errors: Document) -> list[Markup]:
    """Issues, fixes and worse releases in one line each; none without an error tracker."""
    found = []
    if errors["unresolved_count"]:
        found.append(
            Markup("Errors: {}, of which {}").format(
                plural(errors["unresolved_count"], "unresolved issue"), _joined(_classes(errors))
            )
        )
    if errors["fixes"]:
        found.append(
            Markup("Fixes of errors, last 90 days: {}, of which {}").format(
                plural(errors["fixes"]["n"], "fix", "fixes"), _joined(_fixes(errors["fixes"]))
            )
        )
    if worse := [row for row in _newest(errors["releases"]) if row["verdict"] == "worse"]:
        found.append(
            Markup("Newest releases that crash more than the one before: {}").format(
                _joined([escape(f"{row['service']} {short_version(row['version'])}") for row in worse])
            )
        )
    return found


def _joined(parts: list[Markup]) -> Markup:
    return Markup(listed(parts)) if parts else Markup("")


def _label(releases: list[Document]) -> str:
    """Text alternative of the chart; the table below has the numbers of every release."""
    return "Chart of the share of sessions without a crash. " + " ".join(
        f"{row['service']} {short_version(row['version'])}: {row['crash_free_pct']:.3f} %, {row['sessions']:,} sessions."
        for row in releases
    )
