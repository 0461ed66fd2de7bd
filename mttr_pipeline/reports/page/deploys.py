"""Deploys in words: the five delivery figures of a member, what is said instead, and the deploys that introduced an incident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from mttr_pipeline.reports.delivery import recent
from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.page import charts, rules
from mttr_pipeline.reports.page.words import count, duration, listed, minutes, plural, rate, share

#: Key of a figure in delivery.json -> its name at DORA.
NAMES = {
    "deployment_frequency": "Deployment frequency",
    "change_lead_time": "Change lead time",
    "change_fail_rate": "Change fail rate",
    "failed_deployment_recovery_time": "Failed deployment recovery time",
    "deployment_rework_rate": "Deployment rework rate",
}


def section(documents: Mapping[str, Document]) -> dict[str, Any] | None:
    """What the section Delivery shows; None where no deploy is known, and then there is no such section."""
    delivery = documents["delivery"]
    if not delivery["figures"]:
        return None
    now = recent(delivery["figures"])
    known = {
        row["scope_value"]: row for row in delivery["figures"] if row["scope"] == "all" and not row["window_start"]
    }
    listed_members = {
        scope: [row for row in now if row["scope"] == scope and row["deployment_frequency"]["n"]]
        for scope in ("service", "team")
    }
    weeks = delivery["weeks"]
    return {
        "periods": periods([row for row in delivery["figures"] if row["scope"] == "all"]),
        "now": next(row for row in now if row["scope"] == "all"),
        "ran": known["all"]["deployment_frequency"]["n"],
        "elsewhere": elsewhere(delivery["environments"]),
        "unmapped": unmapped(delivery["environments"]),
        "has_production": any(row["is_production"] for row in delivery["environments"]),
        "chart": charts.figure(charts.deploys, weeks, _label(weeks)) if weeks else None,
        "members": listed_members,
        "unlisted": {
            scope: sum(row["scope"] == scope for row in now) - len(rows) for scope, rows in listed_members.items()
        },
    }


def periods(figures: list[Document]) -> list[tuple[str, Document]]:
    """The rows of one member, newest first, each with the name of its window."""
    windows = sorted((row for row in figures if row["window_start"]), key=lambda row: row["window_start"], reverse=True)
    whole = [row for row in figures if not row["window_start"]]
    return list(zip(["last 30 days", "30 days before", "whole history"], [*windows, *whole], strict=False))


def figure(row: Document, name: str) -> Markup:
    """One of the five figures of a member and window, or why it has none."""
    told = row[name]
    if name == "deployment_frequency":
        return rate(told["deploys_per_day"])
    if name == "change_lead_time":
        return _median(minutes(told["median_minutes"]), told["n"]) if told["n"] else minutes(None)
    if name == "failed_deployment_recovery_time":
        failed = told["n_recovered"] + told["n_open"]
        reached = (
            Markup("not reached") if told["median_minutes"] is None and failed else minutes(told["median_minutes"])
        )
        return _median(reached, told["n_recovered"]) if failed else reached
    return share(told["pct"])


def _median(shown: Markup, n: int) -> Markup:
    return shown if rules.shows_median(n) else Markup("not enough data")


def figure_limits(row: Document, name: str) -> Markup:
    """The 95 % limits of a figure; empty where it has none or is not shown."""
    told = row[name]
    if name in ("deployment_frequency", "change_lead_time"):
        return Markup("")
    if name == "failed_deployment_recovery_time":
        if not rules.shows_median(told["n_recovered"]):
            return Markup("")
        low, high = told["median_low"], told["median_high"]
        if low is None:
            return Markup("none") if high is None else Markup("up to {}").format(minutes(high))
        return (
            Markup("from {}").format(minutes(low))
            if high is None
            else Markup("{} to {}").format(minutes(low), minutes(high))
        )
    if told["pct"] is None:
        return Markup("")
    return Markup("{} to {}").format(share(told["low_pct"]), share(told["high_pct"]))


def sample(row: Document, name: str) -> Markup:
    """What a figure is made of, in numbers."""
    told = row[name]
    if name == "change_fail_rate":
        return Markup("{} of {}").format(count(told["failed_deploys"]), plural(told["n"], "deploy"))
    if name == "deployment_rework_rate":
        if told["rework_deploys"] is None:
            return plural(told["n"], "deploy")
        return Markup("{} of {}").format(count(told["rework_deploys"]), plural(told["n"], "deploy"))
    if name == "failed_deployment_recovery_time":
        return Markup("{} recovered, {} open").format(count(told["n_recovered"]), count(told["n_open"]))
    return plural(told["n"], "deploy")


def elsewhere(environments: list[Document]) -> str:
    """How many deploys went to which environment that is not production: `2 to prod-eu and 1 to staging`."""
    found = Counter[str]()
    for row in environments:
        if not row["is_production"]:
            found[f"to {row['environment']}" if row["environment"] else "without an environment"] += row["deploys"]
    return listed(f"{n:,} {name}" for name, n in found.most_common(5)) if found else ""


def unmapped(environments: list[Document]) -> list[tuple[str, list[str]]]:
    """Source -> the names of its environments that nothing maps, with the most deploys first."""
    found: dict[str, list[str]] = {}
    for row in environments:
        if not row["is_mapped"] and row["environment"]:
            found.setdefault(row["source"], []).append(row["environment"])
    return list(found.items())


def introduced(row: Document) -> Markup:
    """When a deploy that introduced an incident was over, and why it is linked: `12 min before, by time`."""
    before = row["minutes_before"]
    method = {"explicit": "named as the cause", "window": "linked by time"}[row["method"]]
    if before is None:
        return Markup(method)
    if before < 0:
        told = Markup('<data value="{}">{}</data> after the impact began').format(repr(before), duration(-before))
    else:
        told = Markup("{} before").format(minutes(before))
    return Markup("{}, {}").format(told, method)


def name_of(row: Document) -> str:
    """What a deploy brought out: version and commit as far as they are known, else its id."""
    commit = (row["sha"] or "")[:7]
    if row["version"] and commit and not row["version"].startswith(commit):
        return f"{row['version']} ({commit})"
    return str(row["version"] or commit or row["external_id"])


def lines(delivery: Document) -> list[Markup]:
    """The figures of the last 30 days in one line each; none without a production deploy."""
    row = next((row for row in recent(delivery["figures"]) if row["scope"] == "all"), None)
    if row is None or not row["deployment_frequency"]["n"]:
        return []
    return [
        Markup("{}, last 30 days: {} ({}{})").format(
            name, figure(row, key), Markup("95 % limits {}, ").format(limits) if limits else "", sample(row, key)
        )
        for key, name in NAMES.items()
        for limits in [figure_limits(row, key)]
    ]


def _label(weeks: list[Document]) -> str:
    """Text alternative of the chart; the table below has the numbers of every week."""
    return (
        f"Chart of {len(weeks)} weeks with {sum(row['deploys'] for row in weeks):,} deploys to production, "
        f"{sum(row['failed_deploys'] for row in weeks):,} of them failed."
    )
