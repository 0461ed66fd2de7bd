"""The minute that a manager has: one paragraph, and a card per question. In words, from the documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from mttr_pipeline.metrics.changes import ENOUGH
from mttr_pipeline.reports.compliance import GOAL_PCT, recent
from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.page import rules
from mttr_pipeline.reports.page.words import count, instant, listed, minutes, number, plural, probability, recovery


@dataclass(frozen=True)
class Card:
    """A question, its answer, and what stands behind it; `colour` only where chance is ruled out."""

    title: str
    figure: Markup | str
    texts: tuple[Markup | str, ...] = ()
    colour: str | None = None
    more: tuple[Markup | str, ...] = ()  # for those who ask how it was worked out


def lead(summary: Document) -> Markup:
    """The verdict in one or two sentences."""
    now = summary["recovery"]["current"]
    if not summary["recovery"]["whole"]["incidents_matched"]:
        return Markup("There is nothing to report: no incident was ever recorded.")
    if not now["incidents_matched"]:
        return Markup("No incident began in the last 30 days.")
    if now["low_n"]:
        return Markup("Too few incidents of the last 30 days have ended to say how long a recovery takes: {}.").format(
            _n(now)
        )
    if now["km_median"] is None:
        text = Markup(
            "Fewer than half of the incidents of the last 30 days are known to be over: "
            "typical recovery takes <strong>more than {}</strong>."
        )
        return text.format(minutes(now["longest_minutes"]))
    text = Markup("Half of the incidents of the last 30 days were over within <strong>{}</strong>").format(
        minutes(now["km_median"])
    )
    if rules.shows_p90(now):
        text += Markup(", nine in ten within <strong>{}</strong>").format(minutes(now["km_p90"]))
    return text + ". " + _change_said(summary["change"])


def also(documents: Mapping[str, Document]) -> Markup:
    """What else a manager must not miss: data that is not to be relied on, targets that are missed."""
    said = []
    if documents["summary"]["traffic_light"]["light"] == "red":
        warning = (
            '<strong class="bad">Do not rely on these figures yet</strong>: see <a href="#quality">data quality</a>.'
        )
        said.append(Markup(warning))
    below = [row["severity"] for row in _below(documents["compliance"])]
    if below:
        targets = "its target" if len(below) == 1 else "their targets"
        said.append(Markup("{} missed {} more often than the goal allows.").format(listed(below), targets))
    late = documents["compliance"]["open_breach_count"]
    if late:
        said.append(
            Markup("{} open past {} target.").format(plural(late, "incident is", "incidents are"), _whose(late))
        )
    return Markup(" ").join(said)


def _whose(number: int) -> str:
    return "its" if number == 1 else "their"


def _below(compliance: Document) -> list[Document]:
    """The severities that are below the goal beyond chance."""
    return [
        row for row in recent(compliance["targets"]) if row["incidents_count"] and rules.colour(row) in ("bad", "fair")
    ]


def _change_said(change: Document) -> Markup:
    if change["is_mixed"]:
        most, longest = ("less", "more") if change["verdict"] == "faster" else ("more", "less")
        return Markup("Most took <strong>{} time</strong> than in the 30 days before, the longest ones {}.").format(
            most, longest
        )
    if change["verdict"] in ("faster", "slower"):
        return Markup('That is <strong class="{}">{}</strong> than in the 30 days before.').format(
            rules.change_colour(change), change["verdict"]
        )
    if change["verdict"] == "no detectable change":
        return Markup("No change from the 30 days before can be detected.")
    return Markup("There is not enough data to compare it with the 30 days before.")


def cards(documents: Mapping[str, Document]) -> list[Card]:
    """The questions in the order in which they are asked."""
    summary = documents["summary"]
    now = summary["recovery"]["current"]
    return [
        _typical(now),
        _bad_day(now),
        _change(summary),
        _targets(documents["compliance"]),
        _open(summary, documents["compliance"]),
        _sources(documents["data_quality"]),
    ]


def _typical(now: Document) -> Card:
    title = "Typical recovery, last 30 days"
    if now["low_n"]:
        return Card(title, _too_few(now), (_n(now),))
    if now["km_median"] is None:
        return Card(title, recovery(now), (_n(now), "Fewer than half of them are known to be over."))
    return Card(title, minutes(now["km_median"]), (_with_limits(now, "km_median"), _n(now)))


def _bad_day(now: Document) -> Card:
    title = "Bad day: one in ten takes longer"
    if now["n_events"] < rules.P90_EVENTS:
        return Card(title, _too_few(now), ("Shown from 10 recoveries.",))
    if now["km_p90"] is None:
        return Card(title, "not reached", ("Fewer than nine in ten are known to be over.", _n(now)))
    return Card(title, minutes(now["km_p90"]), (_with_limits(now, "km_p90"), _n(now)))


def _change(summary: Document) -> Card:
    change, frequency = summary["change"], summary["frequency"]
    often = Markup("{} began, {} before: {}.").format(
        plural(frequency["n_current"], "incident"), count(frequency["n_previous"]), frequency["verdict"]
    )
    title = "Change against the 30 days before"
    if change["verdict"] == "not enough data":
        few = Markup("n\N{NO-BREAK SPACE}= {} and {} before; {}").format(
            count(change["n"]),
            count(change["previous_n"]),
            "6 a side are needed."
            if min(change["n"], change["previous_n"]) < ENOUGH
            else "none of them is known to have recovered.",
        )
        return Card(title, change["verdict"], (few, often))
    # A ratio of means follows a few long incidents, the test all durations alike: the two may seem to disagree.
    means = change["method"] == "rmst_ratio"
    ratio = Markup("{} changed by the factor {}{}.").format(
        Markup("Means up to {}, carried by the longest incidents,").format(minutes(change["horizon_minutes"]))
        if means
        else "Durations",
        number(change["ratio"]),
        Markup(" (95 % limits {} to {})").format(number(change["ratio_low"]), number(change["ratio_high"]))
        if rules.shows_ratio_limits(change)
        else "",
    )
    tested = Markup(
        "Log-rank test of all durations: q\N{NO-BREAK SPACE}{}, n\N{NO-BREAK SPACE}= {} and {} before."
    ).format(probability(change["q"]), count(change["n"]), count(change["previous_n"]))
    if change["verdict"] != "no detectable change":
        mixed = "Most incidents and the longest ones moved in opposite directions."
        first = mixed if change["is_mixed"] else ratio
        more = (tested, ratio) if change["is_mixed"] else (tested,)
        return Card(title, change["verdict"], (first, often), rules.change_colour(change), more)
    power = "With so many incidents, only recovering at {} times the rate, or slower by as much, would show."
    power = Markup(power).format(number(change["smallest_detectable_ratio"]))
    texts = (power, often) if change["smallest_detectable_ratio"] is not None else (often,)
    return Card(title, change["verdict"], texts, more=(tested, ratio))


def _targets(compliance: Document) -> Card:
    title = "Targets, last 90 days"
    rows = [row for row in recent(compliance["targets"]) if row["incidents_count"]]
    if not rows:
        return Card(title, "no data", ("No incident with a target has an outcome.",))
    below = _below(compliance)
    texts = [
        Markup("{}: {} of {} in time").format(
            row["severity"], count(row["within_target"]), count(row["incidents_count"])
        )
        for row in rows
    ]
    detail = (Markup("; ").join(texts) + ".",)
    if below:
        worst = "bad" if any(rules.colour(row) == "bad" for row in below) else "fair"
        return Card(title, listed(row["severity"] for row in below) + " below the goal", detail, worst)
    missed = [row["severity"] for row in rows if row["status"] != "healthy"]
    if missed:
        return Card(
            title, "no clear miss", (*detail, f"{listed(missed)}: too few incidents to tell a miss from chance.")
        )
    unsure = [row["severity"] for row in rows if row["compliance_low_pct"] < GOAL_PCT]
    if unsure:
        return Card(title, "no miss seen", (*detail, f"{listed(unsure)}: too few incidents to be sure of the goal."))
    return Card(title, "all at the goal", detail)


def _open(summary: Document, compliance: Document) -> Card:
    late = compliance["open_breach_count"]
    now = summary["recovery"]["whole"]
    past = Markup('<a href="#open">{} past {} target</a>.').format(count(late), _whose(late))
    text = past if late else "None is past its target."
    return Card("Open now", count(summary["incidents"]["open_now"]), (text,) if now["incidents_matched"] else ())


_LIGHTS = {
    "green": ("good", "\N{BLACK CIRCLE} green"),
    "amber": ("fair", "\N{BLACK UP-POINTING TRIANGLE} amber"),
    "red": ("bad", "\N{BLACK DIAMOND} red"),
    "no_data": (None, "no data"),
}


def _sources(quality: Document) -> Card:
    light = next(row for row in quality["lights"] if row["source"] == "all")
    colour, word = _LIGHTS[light["light"]]
    return Card("Data quality", word, (freshness(quality), light["headline"]), colour)


def freshness(quality: Document) -> Markup:
    """How fresh the sources are, stale ones by name."""
    stale = [row for row in quality["sources"] if rules.is_stale(row, quality["as_of"])]
    if not quality["sources"]:
        return Markup("No source is pulled; the incidents were imported.")
    if not stale:
        oldest = min(row["data_as_of"] for row in quality["sources"])
        return Markup("All sources are fresh, known up to {}.").format(instant(oldest))
    known = Markup("; ").join(
        Markup("{} is stale, known up to {}").format(row["source"], instant(row["data_as_of"]))
        if row["data_as_of"]
        else Markup("{} has never been pulled").format(row["source"])
        for row in stale
    )
    return known + "."


def _too_few(row: Document) -> Markup:
    return Markup("not enough data (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{})").format(count(row["n_events"]))


def _n(row: Document) -> Markup:
    if not row["n_events"] + row["n_open"]:
        return Markup("{}, none with a usable duration").format(plural(row["incidents_matched"], "incident"))
    return Markup("{} ended, {} still open or timed out").format(count(row["n_events"]), count(row["n_open"]))


def bad_day(row: Document) -> Markup | str:
    """The time that one in ten exceeds, where it may be said."""
    if row["n_events"] < rules.P90_EVENTS:
        return "not enough data"
    return "not reached" if row["km_p90"] is None else minutes(row["km_p90"])


def _with_limits(row: Document, name: str) -> Markup:
    return Markup("95 % limits: {}").format(limits(row, name))


def limits(row: Document, name: str) -> Markup:
    """The 95 % limits of a duration, as far as they exist."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if low is None and high is None:
        alike = row["km_median"] is not None and row["km_median"] == row["longest_minutes"]
        return Markup("none: {}").format("they took equally long" if alike else "too few incidents")
    if high is None:
        return Markup("from {}").format(minutes(low))
    if low is None:
        return Markup("up to {}").format(minutes(high))
    return Markup("{} to {}").format(minutes(low), minutes(high))
