"""The top of the page, from the documents: one paragraph, and a card per question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from mttr_pipeline.reports import downtime
from mttr_pipeline.reports.compliance import GOAL_PCT, recent
from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.page import changes, files, rules
from mttr_pipeline.reports.page.words import amount, count, instant, listed, minutes, plural, recovery


@dataclass(frozen=True)
class Card:
    """A question, its answer and the evidence. `colour` is set only where chance is an unlikely cause."""

    title: str
    figure: Markup | str
    texts: tuple[Markup | str, ...] = ()
    colour: str | None = None
    more: tuple[Markup | str, ...] = ()  # how the answer was tested


def lead(summary: Document) -> Markup:
    """The answer in one or two sentences."""
    now = summary["recovery"]["current"]
    if not summary["recovery"]["whole"]["incidents_matched"]:
        return Markup("There are no incidents to report.")
    if not now["incidents_matched"]:
        return Markup("No incidents started in the last 30 days.")
    if now["low_n"]:
        return Markup(
            "Too few incidents of the last 30 days have recovered to state a typical recovery time: {}."
        ).format(_sample(now))
    if now["km_median"] is None:
        text = Markup(
            "Fewer than half of the incidents of the last 30 days are known to have recovered. "
            "Typical recovery takes <strong>more than {}</strong>."
        )
        return text.format(minutes(now["longest_minutes"]))
    text = Markup("Half of the incidents of the last 30 days were resolved within <strong>{}</strong>").format(
        minutes(now["km_median"])
    )
    if rules.shows_p90(now):
        text += Markup(", and nine in ten within <strong>{}</strong>").format(minutes(now["km_p90"]))
    return text + ". " + changes.sentence(summary["change"])


def is_red(documents: Mapping[str, Document]) -> bool:
    """Whether the data is not reliable. Then that is said before anything else, and no verdict has a colour."""
    return bool(documents["summary"]["traffic_light"]["light"] == "red")


def warning(documents: Mapping[str, Document], main_page: str = "") -> Markup:
    """What comes first on every page where the data is not reliable. Else empty."""
    if not is_red(documents):
        return Markup("")
    text = Markup(
        '<strong class="alarm">Do not rely on these figures yet</strong>: see <a href="{}#quality">data quality</a>.'
    )
    return text.format(main_page)


def attention(documents: Mapping[str, Document]) -> Markup:
    """What needs attention: missed targets, open incidents past their target. Else empty."""
    sentences = []
    missed = [row["severity"] for row in _missed(documents["compliance"])]
    if missed:
        targets = "its target" if len(missed) == 1 else "their targets"
        text = Markup("In the last 90 days, {} missed {} more often than the goal allows.")
        sentences.append(text.format(listed(missed), targets))
    late = documents["compliance"]["open_breach_count"]
    if late:
        text = Markup("{} past {} target.")
        sentences.append(text.format(plural(late, "open incident is", "open incidents are"), _its(late)))
    return Markup(" ").join(sentences)


def _its(number: int) -> str:
    return "its" if number == 1 else "their"


def _missed(compliance: Document) -> list[Document]:
    """The severities whose compliance is below the goal in the last 90 days, where chance is an unlikely cause."""
    return [row for row in recent(compliance["targets"]) if row["is_missed"]]


def cards(documents: Mapping[str, Document]) -> list[Card]:
    """One card per question, in the order in which readers ask; data quality first where it is red."""
    summary = documents["summary"]
    now = summary["recovery"]["current"]
    found = [
        _typical(now),
        _bad_day(now),
        _change(summary, documents["comparisons"]),
        _targets(documents["compliance"]),
        _open(summary, documents["compliance"]),
        *_cost(documents["comparisons"]),
        _data_quality(documents["data_quality"]),
    ]
    return [*found[-1:], *found[:-1]] if is_red(documents) else found


def _typical(now: Document) -> Card:
    title = "Typical recovery, last 30 days"
    if now["low_n"]:
        return Card(title, _not_enough_data(now), (_sample(now),))
    if now["km_median"] is None:
        return Card(title, recovery(now), (_sample(now), "Fewer than half are known to have recovered."))
    return Card(title, minutes(now["km_median"]), (_with_limits(now, "km_median"), _sample(now)))


def _bad_day(now: Document) -> Card:
    title = "Bad day: one incident in ten takes longer"
    if now["n_events"] < rules.P90_EVENTS:
        return Card(
            title, _not_enough_data(now), (f"Shown when at least {rules.P90_EVENTS} incidents have recovered.",)
        )
    if now["km_p90"] is None:
        return Card(title, "not reached", ("Fewer than nine in ten are known to have recovered.", _sample(now)))
    return Card(title, minutes(now["km_p90"]), (_with_limits(now, "km_p90"), _sample(now)))


def _change(summary: Document, comparisons: Document) -> Card:
    frequency = summary["frequency"]
    often = Markup("Frequency: {}, {} in the previous 30 days ({}).").format(
        plural(frequency["n_current"], "incident"), count(frequency["n_previous"]), frequency["verdict"]
    )
    severities = [row for row in comparisons["changes"] if row["scope"] == "severity"]
    return Card("Change from the previous 30 days", *changes.answer(summary["change"], often, severities))


def _targets(compliance: Document) -> Card:
    title = "Targets, last 90 days"
    rows = [row for row in recent(compliance["targets"]) if row["incidents_count"]]
    if not rows:
        return Card(title, "no data", ("No incident has both a target and an outcome.",))
    texts = [
        Markup("{} {} of {}").format(row["severity"], count(row["within_target"]), count(row["incidents_count"]))
        for row in rows
    ]
    detail = (Markup("Within target: {}.").format(Markup(", ").join(texts)),)
    missed = _missed(compliance)
    if missed:
        worst = "bad" if any(rules.target_colour(row) == "bad" for row in missed) else "fair"
        return Card(title, listed(row["severity"] for row in missed) + " below the goal", detail, worst)
    unclear = [row["severity"] for row in rows if row["status"] != "healthy"]
    if unclear:
        text = f"{listed(unclear)}: too few incidents to distinguish a miss from chance."
        return Card(title, "no clear miss", (*detail, text))
    unsure = [row["severity"] for row in rows if row["compliance_low_pct"] < GOAL_PCT]
    if unsure:
        text = f"{listed(unsure)}: too few incidents to be sure that the goal is met."
        return Card(title, "no miss detected", (*detail, text))
    return Card(title, "all meet the goal", detail)


def _open(summary: Document, compliance: Document) -> Card:
    late = compliance["open_breach_count"]
    link = Markup('<a href="#open">{} past {} target</a>.').format(count(late), _its(late))
    text = link if late else "None is past its target."
    has_incidents = summary["recovery"]["whole"]["incidents_matched"]
    return Card("Open now", count(summary["incidents"]["open_now"]), (text,) if has_incidents else ())


def _cost(comparisons: Document) -> list[Card]:
    """What incidents cost users and the company. No card where no record says either."""
    found = (row for row in downtime.recent(comparisons["downtime"]) if row["scope"] == "all")
    row = next(found, None)
    if row is None or not row["n_users_known"] + row["n_revenue_known"]:
        return []
    figure, texts = Markup(""), []
    if row["n_users_known"]:
        figure = Markup("{} user-minutes").format(amount(row["user_minutes"]))
        text = Markup("Affected users times minutes down, from the {} of {} whose users are known.")
        texts.append(text.format(count(row["n_users_known"]), plural(row["n"], "incident")))
    if row["n_revenue_known"]:
        text = Markup("Revenue impact: {}, stated by {}.")
        texts.append(text.format(amount(row["revenue_impact"]), plural(row["n_revenue_known"], "incident")))
    return [Card("Cost, last 30 days", figure or amount(row["revenue_impact"]), tuple(texts))]


_LIGHTS = {
    "green": ("good", "\N{BLACK CIRCLE} green"),
    "amber": ("fair", "\N{BLACK UP-POINTING TRIANGLE} amber"),
    "red": ("alarm", "\N{BLACK DIAMOND} red"),
    "no_data": (None, "no data"),
}


def _data_quality(quality: Document) -> Card:
    light = next(row for row in quality["lights"] if row["source"] == "all")
    colour, word = _LIGHTS[light["light"]]
    return Card("Data quality", word, (freshness(quality), files.linked(light["headline"])), colour)


def freshness(quality: Document) -> Markup:
    """How fresh the sources are; stale sources by name."""
    stale = [row for row in quality["sources"] if rules.is_stale(row, quality["as_of"])]
    if not quality["sources"]:
        return Markup("No source is pulled. Incidents are only imported or received.")
    if not stale:
        oldest = min(row["data_as_of"] for row in quality["sources"])
        return Markup("All sources are fresh: data as of {}.").format(instant(oldest))
    texts = Markup("; ").join(
        Markup("{} is stale: data as of {}").format(row["source"], instant(row["data_as_of"]))
        if row["data_as_of"]
        else Markup("{} has never been pulled successfully").format(row["source"])
        for row in stale
    )
    return texts + "."


def _not_enough_data(row: Document) -> Markup:
    return Markup("not enough data (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{})").format(count(row["n_events"]))


def _sample(row: Document) -> Markup:
    """How many incidents a figure of recovery is based on."""
    if not row["n_events"] + row["n_open"]:
        if not row["n_before_history"]:
            return Markup("{}, none with a usable duration").format(plural(row["incidents_matched"], "incident"))
        return Markup("{}, {} left out because they began before the complete history of their source").format(
            plural(row["incidents_matched"], "incident"), count(row["n_before_history"])
        )
    text = Markup("{} recovered, {} still open or timed out").format(count(row["n_events"]), count(row["n_open"]))
    if row["n_before_history"]:
        text += Markup(", {} from before the complete history left out").format(count(row["n_before_history"]))
    if without := _without_duration(row):
        text += Markup(", {} without a usable duration").format(count(without))
    return text


def _without_duration(row: Document) -> int:
    """How many of the incidents are not even known to be open: over at an unknown time, or with an end before the start."""
    return int(row["incidents_matched"] - row["n_events"] - row["n_open"] - row["n_before_history"])


def bad_day(row: Document) -> Markup | str:
    """The time that one incident in ten exceeds, if enough incidents have recovered."""
    if row["n_events"] < rules.P90_EVENTS:
        return "not enough data"
    return "not reached" if row["km_p90"] is None else minutes(row["km_p90"])


def _with_limits(row: Document, name: str) -> Markup:
    return Markup("95 % limits: {}").format(limits(row, name))


def limits(row: Document, name: str) -> Markup:
    """The 95 % limits of the duration `name`, as far as they exist."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if low is None and high is None:
        alike = row["km_median"] is not None and row["km_median"] == row["longest_minutes"]
        return Markup("none ({})").format("most durations are equal" if alike else "too few incidents")
    if high is None:
        return Markup("from {}").format(minutes(low))
    if low is None:
        return Markup("up to {}").format(minutes(high))
    return Markup("{} to {}").format(minutes(low), minutes(high))
