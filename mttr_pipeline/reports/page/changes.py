"""What the page says about change: from the previous period, and since a date.

A sentence that names faster or slower stands beside the typical recovery of both sides, and says so where that alone does not
show it: the test looks at all durations. Incidents that are open and abandoned are named apart.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from mttr_pipeline.metrics.changes import ENOUGH
from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.page import rules
from mttr_pipeline.reports.page.words import count, day, minutes, number, plural, probability

#: Figure, texts, colour and how it was tested: a card without its title.
Answer = tuple[str, tuple[Markup | str, ...], str | None, tuple[Markup | str, ...]]

_FASTER_OR_SLOWER = ("faster", "slower")
_FEW = "fewer than half of the incidents are known to have recovered"


def sentence(change: Document) -> Markup:
    """The change from the previous period in one to three sentences."""
    return Markup(" ").join(filter(None, (_verdict(change), _without_abandoned(change))))


def _verdict(change: Document) -> Markup:
    if change["verdict"] == "no detectable change":
        return Markup("There is no detectable change from the previous 30 days.")
    if change["verdict"] not in _FASTER_OR_SLOWER:
        return Markup("There is not enough data for a comparison with the previous 30 days.")
    if change["is_mixed"] and rules.shows_in_median(change):
        most, longest = ("less", "more") if change["verdict"] == "faster" else ("more", "less")
        text = Markup(
            "Most incidents took <strong>{} time</strong> than in the previous 30 days, but the longest ones took {}."
        )
        return text.format(most, longest)
    if change["is_mixed"]:
        return Markup("Durations are not those of the previous 30 days, but they did not all change in one direction.")
    colour = rules.change_colour(change)
    strong = Markup('<strong class="{}">{}</strong>' if colour else "<strong>{1}</strong>").format(
        colour, change["verdict"]
    )
    before = change["previous_km_median"]
    if rules.shows_in_median(change):
        then = Markup("Then, {}.").format(_FEW) if before is None else _was(before)
        return Markup("Recovery is {} than in the previous 30 days. {}").format(strong, then)
    return Markup(
        "Over all durations, recovery is {} than in the previous 30 days. Typical recovery alone does not show it: {}."
    ).format(strong, _FEW if before is None else Markup("it was {}").format(minutes(before)))


def _was(before: float) -> Markup:
    return Markup("Typical recovery was {} then.").format(minutes(before))


def _without_abandoned(change: Document) -> Markup | None:
    """Where the verdict hangs on abandoned incidents: the other verdict."""
    if not change["hangs_on_abandoned"]:
        return None
    text = Markup("This depends on abandoned incidents ({}). Without them {}.")
    return text.format(_abandoned(change), _OTHERWISE[change["verdict_without_abandoned"]])


_OTHERWISE = {
    "faster": "recovery is faster",
    "slower": "recovery is slower",
    "no detectable change": "there is no detectable change",
    "not enough data": "there is not enough data",
}


def _abandoned(change: Document) -> Markup:
    text = Markup("{} of the last 30 days and {} of the 30 days before")
    return text.format(count(change["n_abandoned"]), count(change["previous_n_abandoned"]))


def answer(change: Document, often: Markup, severities: Iterable[Document]) -> Answer:
    """The card: the verdict, its evidence, its colour and how it was tested. `severities` are the changes of each severity."""
    sizes = Markup("n\N{NO-BREAK SPACE}= {}, and {} in the previous 30 days").format(
        count(change["n"]), count(change["previous_n"])
    )
    if change["verdict"] == "not enough data":
        few = min(change["n"], change["previous_n"]) < ENOUGH
        reason = f"Each period needs at least {ENOUGH}." if few else "None of these is known to have recovered."
        return change["verdict"], (sizes + ". " + reason, often), None, ()
    tested = Markup("Log-rank test of all durations: q\N{NO-BREAK SPACE}{} ({}).").format(
        probability(change["q"]), sizes
    )
    asides: tuple[Markup | str, ...] = _asides(change)
    if change["verdict"] in _FASTER_OR_SLOWER:
        asides = (*asides, *_alone(change, severities))
        first = (
            "Shorter and longer incidents changed in opposite directions." if change["is_mixed"] else _typical(change)
        )
        if change["is_mixed"] and rules.shows_in_median(change):
            first = "Most incidents and the longest ones changed in opposite directions."
        texts = (first, *asides, often)
        return change["verdict"], texts, rules.change_colour(change), (tested, _ratio(change))
    power = Markup(
        "With this many incidents, a change is likely to be detected only if the recovery rate rises or falls "
        "by a factor of at least {}."
    ).format(number(change["smallest_detectable_ratio"]))
    texts = (power, *asides, often) if change["smallest_detectable_ratio"] is not None else (*asides, often)
    return change["verdict"], texts, None, (tested, _ratio(change))


def _typical(change: Document) -> Markup:
    """The typical recovery of both periods, and whether it alone shows the verdict."""
    now, before = (
        Markup("not reached") if change[name] is None else minutes(change[name])
        for name in ("km_median", "previous_km_median")
    )
    text = Markup("Typical recovery: {}, and {} in the previous 30 days.").format(now, before)
    return (
        text
        if rules.shows_in_median(change)
        else text + " The test of all durations shows a change, this figure alone does not."
    )


def _asides(change: Document) -> tuple[Markup, ...]:
    """Incidents that are named apart: abandoned ones, and those from before the complete history."""
    found = []
    if change["n_abandoned"] or change["previous_n_abandoned"]:
        other = change["verdict_without_abandoned"]
        same = (
            "The verdict is the same without them." if not change["hangs_on_abandoned"] else f"Without them: {other}."
        )
        found.append(Markup("Abandoned incidents: {}. {}").format(_abandoned(change), same))
    if change["n_before_history"] or change["previous_n_before_history"]:
        text = Markup(
            "Left out, because they began before the complete history of their source: {}, and {} of the previous 30 days."
        )
        numbers = plural(change["n_before_history"], "incident"), count(change["previous_n_before_history"])
        found.append(text.format(*numbers))
    return tuple(found)


def _alone(change: Document, severities: Iterable[Document]) -> tuple[str, ...]:
    """Whether the verdict of all incidents is the verdict of any severity."""
    shown = any(row["verdict"] == change["verdict"] for row in severities)
    return () if shown else (f"No severity alone is {change['verdict']}.",)


def _ratio(change: Document) -> Markup:
    """How much durations changed. A ratio of means follows a few long incidents, so it may contradict the log-rank test."""
    limits = Markup(" (95 % limits: {} to {})").format(number(change["ratio_low"]), number(change["ratio_high"]))
    ratio = Markup("{} times that of the previous 30 days{}.").format(
        number(change["ratio"]), limits if rules.shows_ratio_limits(change) else ""
    )
    if change["method"] != "rmst_ratio":
        return Markup("The duration of incidents is {}").format(ratio)
    return Markup(
        "The mean duration, with each duration capped at {}, is {} The longest incidents dominate it."
    ).format(minutes(change["horizon_minutes"]), ratio)


def since(row: Document) -> Markup:
    """Since when recovery is faster or slower, with the typical recovery before and after; or that there is no such date."""
    if row["shift"] == "not enough data":
        return Markup("Not enough data for a shift ({}).").format(row["shift_reason"])
    if row["shift"] not in _FASTER_OR_SLOWER:
        return Markup("No detectable shift.")
    strong = Markup('<strong class="{}">{}</strong>').format(
        "good" if row["shift"] == "faster" else "bad", row["shift"]
    )
    before, after = row["before_median_minutes"], row["after_median_minutes"]
    tested = Markup("q\N{NO-BREAK SPACE}{}, n\N{NO-BREAK SPACE}= {}, of which {} recovered").format(
        probability(row["shift_q"]), count(row["n"]), count(row["n_events"])
    )
    text = Markup("Since about {}, recovery is {} ({}). ").format(day(row["shift_at"]), strong, tested)
    if before is None and after is None:
        return text + "Typical recovery is not reached on either side of that date."
    if before is None or after is None:
        side, other = ("From", "before") if before is None else ("Before", "from")
        known = Markup("{} it, typical recovery is {}; {} it, {}.")
        return text + known.format(side, minutes(after if before is None else before), other, _FEW)
    moved = after < before if row["shift"] == "faster" else after > before
    typical = Markup("Typical recovery is {}, and was {} before").format(minutes(after), minutes(before))
    return text + typical + ("." if moved else ": this figure alone does not show it, all durations together do.")


def left_out(row: Document) -> Markup:
    """How many incidents a figure leaves out because they began before the complete history; empty without any."""
    if not row["n_before_history"]:
        return Markup("")
    noun = plural(row["n_before_history"], "incident is", "incidents are")
    whose = "it began" if row["n_before_history"] == 1 else "they began"
    return Markup("{} left out: {} before the complete history of {} source.").format(
        noun, whose, "its" if row["n_before_history"] == 1 else "their"
    )
