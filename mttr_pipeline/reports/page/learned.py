"""Learning in words: post-mortems, what comes back, noise, who noticed it, owners and on-call load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.learning import at, customers
from mttr_pipeline.reports.page import charts, rules
from mttr_pipeline.reports.page.words import count, days, minutes, plural, share

_NONE = Markup('<span class="none">no data</span>')
_FEW = Markup("not enough data")
_EMPTY = Markup("")


@dataclass(frozen=True)
class Cell:
    """A figure with its limits and what it is made of."""

    figure: Markup
    limits: Markup = _EMPTY
    sample: Markup = _EMPTY


def section(documents: Mapping[str, Document]) -> dict[str, Any] | None:
    """What the section Learning shows; None where nothing of the kind is known, and then there is no such section."""
    learning, summary = documents["learning"], documents["summary"]
    if not is_known(learning):
        return None
    starts = [summary["period"]["start"], summary["previous_period"]["start"], None]
    now = starts[0]
    periods = [_period(learning, start) for start in starts]
    whole = periods[-1]
    teams = [row for row in at(learning["oncall"], now) if row["scope"] == "team"]
    repeaters = at(learning["repeaters"], now) or at(learning["repeaters"], None)
    post_mortems = whole["post_mortems"]
    return {
        "figures": [(name, cells) for name, of in _FIGURES.items() if any(cells := [of(period) for period in periods])],
        "knows_post_mortems": post_mortems is not None and post_mortems["completed"] is not None,
        "wanted": post_mortems["n_wanted"] if post_mortems else 0,
        "recurs": bool(whole["recurrence"] and whole["recurrence"]["n"]),
        "repeaters": repeaters,
        "repeaters_of": "last 30 days" if at(learning["repeaters"], now) else "whole history",
        "detection": [row for row in at(learning["detection"], now) if row["scope"] == "all"],
        "pages": periods[0]["oncall"],
        "teams": teams,
        "rotas": [row for row in at(learning["oncall"], now) if row["scope"] == "rota"],
        "chart": charts.figure(charts.pages, teams[: charts.MOST_BARS], _label(teams)) if teams else None,
        "overdue_teams": [
            row
            for row in at(learning["post_mortems"], None)
            if row["scope"] == "team" and row["n"] and row["completed"] is not None
        ],
    }


def is_known(learning: Document) -> bool:
    """Whether there is anything to show beyond who owns the incidents."""
    return bool(
        learning["noise"]
        or learning["oncall"]
        or learning["repeaters"]
        or any(row["completed"] is not None or row["actions"] for row in learning["post_mortems"])
        or any(row["n"] for row in learning["recurrence"])
        or any(row["n_known"] for row in learning["detection"])
    )


def _period(learning: Document, start: str | None) -> dict[str, Any]:
    """The row of all of each table in one window; None where there is none."""
    found: dict[str, Any] = {
        name: next((row for row in at(learning[name], start) if row["scope"] == "all"), None)
        for name in ("post_mortems", "recurrence", "noise", "ownership", "oncall")
    }
    known = [row for row in at(learning["detection"], start) if row["scope"] == "all" and row["n_known"]]
    return found | {"customers": customers(learning, start), "detection": known[0] if known else None}


def _post_mortems(period: dict[str, Any], part: str, prefix: str) -> Cell | None:
    row = period["post_mortems"]
    if row is None or row[part] is None:
        return None
    return _shared(row, prefix, row[part], row["n"], Markup("{} of {} due").format(count(row[part]), count(row["n"])))


def _shared(row: Document, prefix: str, part: int, n: int, sample: Markup | None = None) -> Cell:
    if not n:
        return Cell(_NONE)
    low, high = row[f"{prefix}_low_pct"], row[f"{prefix}_high_pct"]
    limits = Markup("{} to {}").format(share(low), share(high))
    return Cell(
        share(row[f"{prefix}_pct"]), limits, sample or Markup("{} of {}").format(count(part), plural(n, "incident"))
    )


def _median(shown: Markup, n: int, what: str) -> Cell | None:
    return Cell(shown if rules.shows_median(n) else _FEW, sample=plural(n, what)) if n else None


def _days(period: dict[str, Any]) -> Cell | None:
    row = period["post_mortems"]
    if row is None or row["median_days"] is None:
        return None
    return _median(days(row["median_days"]), row["n_days"], "post-mortem")


def _tested(period: dict[str, Any]) -> Cell | None:
    row = period["post_mortems"]
    return None if row is None or row["tested"] is None else _shared(row, "test_added", row["tested"], row["n_wanted"])


def _actions(period: dict[str, Any]) -> Cell | None:
    row = period["post_mortems"]
    if row is None or not row["actions"]:
        return None
    return Cell(
        count(row["open_actions"]),
        sample=Markup("of {}, {} overdue").format(count(row["actions"]), count(row["overdue_actions"])),
    )


def _recurrence(period: dict[str, Any]) -> Cell | None:
    row = period["recurrence"]
    if row is None or not row["n"]:
        return (
            Cell(Markup("not known yet"), sample=plural(row["n_not_observed"], "incident"))
            if row and row["n_not_observed"]
            else None
        )
    return _shared(row, "recurrence", row["recurred"], row["n"])


def _noise(period: dict[str, Any]) -> Cell | None:
    row = period["noise"]
    return row and _shared(row, "noise", row["noise"], row["n"])


def _customers(period: dict[str, Any]) -> Cell | None:
    row, known = period["customers"], period["detection"]
    if row is not None:
        known_part = Markup("{} of {} known").format(count(row["n"]), count(row["n_known"]))
        return _shared(row, "share", row["n"], row["n_known"], known_part)
    return known and Cell(Markup("none"), sample=Markup("of {} known").format(count(known["n_known"])))


def _owned(period: dict[str, Any]) -> Cell | None:
    row = period["ownership"]
    return row and _shared(row, "both", row["n_both"], row["n"])


def _assigned(period: dict[str, Any]) -> Cell | None:
    row = period["ownership"]
    return row and _median(minutes(row["assignment_median_minutes"]), row["n_assigned"], "incident")


def _pages(period: dict[str, Any]) -> Cell | None:
    row = period["oncall"]
    return row and Cell(count(row["pages"]), sample=Markup("{} at night").format(count(row["night_pages"])))


def _acknowledged(period: dict[str, Any]) -> Cell | None:
    row = period["oncall"]
    return row and _median(minutes(row["acknowledgment_median_minutes"]), row["n_acknowledged"], "page")


_FIGURES: dict[str, Callable[[dict[str, Any]], Cell | None]] = {
    "Post-mortems completed": lambda period: _post_mortems(period, "completed", "completion"),
    "Post-mortems on time": lambda period: _post_mortems(period, "on_time", "on_time"),
    "Resolve to post-mortem": _days,
    "Open follow-up actions": _actions,
    "Test added": _tested,
    "Recurrence": _recurrence,
    "Detected by customers": _customers,
    "Noise": _noise,
    "Pages": _pages,
    "Acknowledgement of a page": _acknowledged,
    "Owned by a service and a team": _owned,
    "First assignment": _assigned,
}


def lines(learning: Document, summary: Document) -> list[Markup]:
    """The figures of the last 30 days, and of post-mortems and recurrence of the whole history, in one line each."""
    now, whole = _period(learning, summary["period"]["start"]), _period(learning, None)
    found = []
    for name, period, which in (
        ("Post-mortems completed", whole, "whole history"),
        ("Recurrence", whole, "whole history"),
        ("Detected by customers", now, "last 30 days"),
        ("Noise", now, "last 30 days"),
        ("Pages", now, "last 30 days"),
    ):
        if cell := _FIGURES[name](period):
            limits = Markup("95 % limits {}, ").format(cell.limits) if cell.limits else ""
            found.append(Markup("{}, {}: {} ({}{})").format(name, which, cell.figure, limits, cell.sample))
    return found


def _label(teams: list[Document]) -> str:
    """Text alternative of the chart; the table below has the numbers of every team."""
    return "Chart of pages by team, last 30 days. " + " ".join(
        f"{row['scope_value']}: {row['pages']:,}, {row['night_pages']:,} at night." for row in teams[: charts.MOST_BARS]
    )
