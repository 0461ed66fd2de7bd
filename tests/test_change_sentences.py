"""What the page says about change: each sentence where it is true, and not elsewhere; and the columns that decide it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from mart_cases import AS_OF_US, built, rows
from reference_targets import DAY, DETECTED, MINUTE, RESOLVED, Incident
from support import examples

from mttr_pipeline.metrics.changes import compare
from mttr_pipeline.reports.page import changes, rules

CHANGE: dict[str, Any] = {
    "n": 40,
    "n_events": 38,
    "previous_n": 50,
    "previous_n_events": 47,
    "km_median": 20.0,
    "km_median_low": 15.0,
    "km_median_high": 25.0,
    "previous_km_median": 60.0,
    "previous_km_median_low": 50.0,
    "previous_km_median_high": 70.0,
    "method": "rmst_ratio",
    "horizon_minutes": 10080.0,
    "ratio": 0.23,
    "ratio_low": 0.1,
    "ratio_high": 0.6,
    "q": 0.01,
    "smallest_detectable_ratio": 1.8,
    "verdict": "faster",
    "is_mixed": False,
    "n_abandoned": 0,
    "previous_n_abandoned": 0,
    "verdict_without_abandoned": "faster",
    "hangs_on_abandoned": False,
    "n_before_history": 0,
    "previous_n_before_history": 0,
}
ALIKE = {"previous_km_median": 21.0, "previous_km_median_low": 16.0, "previous_km_median_high": 27.0}
HANGS = {
    **ALIKE,
    "previous_n_abandoned": 9,
    "verdict_without_abandoned": "no detectable change",
    "hangs_on_abandoned": True,
}


def plain(text: Markup | str) -> str:
    return Markup(text).striptags().replace("\N{NO-BREAK SPACE}", " ")


def card(change: dict[str, Any], *severities: str) -> tuple[str, str | None]:
    """The texts of the card in one, and its colour."""
    _, texts, colour, more = changes.answer(change, Markup("Often."), [{"verdict": name} for name in severities])
    return " ".join(plain(text) for text in (*texts, *more)), colour


SENTENCES = [
    ({}, "Recovery is faster than in the previous 30 days. Typical recovery was 1 h then."),
    (
        {"previous_km_median": None, "previous_km_median_low": None, "previous_km_median_high": None},
        "Recovery is faster than in the previous 30 days. Then, fewer than half of the incidents are known to have recovered.",
    ),
    (
        ALIKE,
        "Over all durations, recovery is faster than in the previous 30 days. "
        "Typical recovery alone does not show it: it was 21 min.",
    ),
    (
        {"verdict": "slower", "verdict_without_abandoned": "slower", "ratio": 2.0},
        "Over all durations, recovery is slower than in the previous 30 days. Typical recovery alone does not show it: it was 1 h.",
    ),
    (
        {"is_mixed": True},
        "Most incidents took less time than in the previous 30 days, but the longest ones took more.",
    ),
    (
        {**ALIKE, "is_mixed": True},
        "Durations are not those of the previous 30 days, but they did not all change in one direction.",
    ),
    ({"verdict": "no detectable change", "q": 0.4}, "There is no detectable change from the previous 30 days."),
    (
        {"verdict": "not enough data", "q": None},
        "There is not enough data for a comparison with the previous 30 days.",
    ),
    (
        HANGS,
        "This depends on abandoned incidents (0 of the last 30 days and 9 of the 30 days before). "
        "Without them there is no detectable change.",
    ),
    (
        {**HANGS, "verdict": "no detectable change", "verdict_without_abandoned": "slower"},
        "Without them recovery is slower.",
    ),
]


@pytest.mark.parametrize(("finding", "sentence"), SENTENCES)
def test_the_first_sentences_say_what_was_found(finding: dict[str, Any], sentence: str) -> None:
    """A verdict stands beside the typical recovery of both periods, and says where that alone does not show it."""
    assert sentence in plain(changes.sentence({**CHANGE, **finding}))
    others = [plain(changes.sentence({**CHANGE, **other})) for other, _ in SENTENCES if {**HANGS, **other} != other]
    assert sum(sentence in other for other in others) <= 1, "where it is true, and nowhere else"


def test_a_verdict_that_hangs_on_abandoned_incidents_has_no_colour() -> None:
    """Nobody recovered faster because somebody forgot to close tickets a month ago."""
    assert rules.change_colour(CHANGE) == card(CHANGE, "faster")[1] == "good"
    text, colour = card({**CHANGE, **HANGS})
    assert colour is None and 'class="good"' not in changes.sentence({**CHANGE, **HANGS})
    assert "Without them: no detectable change." in text and "The verdict is the same without them." not in text
    text, colour = card({**CHANGE, "n_abandoned": 1})
    assert colour == "good" and "The verdict is the same without them." in text
    assert "bandoned" not in card(CHANGE)[0]


def test_the_card_shows_what_the_verdict_is_about() -> None:
    """A factor of capped means alone, beside medians that did not move, tells two stories in one sentence."""
    text, _ = card(CHANGE, "no detectable change", "faster")
    assert "Typical recovery: 20 min, and 1 h in the previous 30 days. Often." in text
    assert "does not" not in text and "No severity alone" not in text
    text, _ = card({**CHANGE, **ALIKE}, "no detectable change", "slower")
    assert "Typical recovery: 20 min, and 21 min in the previous 30 days." in text
    assert "The test of all durations shows a change, this figure alone does not. No severity alone is faster." in text
    text, _ = card({**CHANGE, "verdict": "no detectable change"}, "slower")
    assert "No severity alone" not in text


def test_the_card_says_what_is_left_out() -> None:
    left = "Left out, because they began before the complete history of their source: 2 incidents, and 5 of the previous 30 days."
    assert left in card({**CHANGE, "n_before_history": 2, "previous_n_before_history": 5})[0]
    assert "Left out" not in card(CHANGE)[0]


def _incident(name: str, ago: float, minutes: float | None, updated: float | None = None) -> Incident:
    """`updated` is how many days ago the vendor's record last changed."""
    stamps: list[int | None] = [None] * 8
    stamps[DETECTED] = AS_OF_US - round(ago * DAY)
    if minutes is not None:
        stamps[RESOLVED] = stamps[DETECTED] + round(minutes * MINUTE)
    at = None if updated is None else AS_OF_US - round(updated * DAY)
    return Incident(name, tuple(stamps), severity="SEV2", service="api", updated=at)


def _alike(prefix: str, ago: float) -> list[Incident]:
    return [_incident(f"{prefix}{number}", ago - number / 10, 20 + 7 * number) for number in range(40)]


@pytest.mark.parametrize(
    ("updated", "abandoned", "without"),
    [(50.0, 25, "no detectable change"), (8.0, 25, "no detectable change"), (6.0, 0, "faster")],
)
def test_the_verdict_is_tested_without_abandoned_incidents(updated: float, abandoned: int, without: str) -> None:
    """Forty of the same durations in both periods, and 25 that were opened in the earlier one and never closed. Where their records
    still change they are incidents like others.
    """
    forgotten = [_incident(f"open{number}", 50 - number / 10, None, updated) for number in range(25)]
    drawn = sorted([*_alike("now", 20), *_alike("then", 50), *forgotten], key=lambda i: (i.started, i.id))
    with built(["mart.changes"], drawn) as warehouse:
        (row,) = rows(warehouse, "SELECT * FROM mart.changes WHERE calculation_type = 'basic' AND scope = 'all'")
    assert (row["n"], row["previous_n"], row["previous_n_open"]) == (40, 65, 25)
    assert row["verdict"] == "faster" and row["ratio"] < 0.5, "as the test of all incidents has it"
    assert (row["n_abandoned"], row["previous_n_abandoned"]) == (0, abandoned)
    assert row["verdict_without_abandoned"] == without
    assert row["hangs_on_abandoned"] is (without != "faster")
    assert (row["q_without_abandoned"] == row["q"]) is (abandoned == 0)
    sentence = plain(changes.sentence(row))
    assert ("This depends on abandoned incidents" in sentence) is (abandoned > 0)


def test_no_verdict_hangs_on_the_abandoned_incidents_of_others() -> None:
    """Without them fewer tests of the dimension find something, and q of a service that has none rises over 0.05. A sentence about
    its 0 abandoned incidents would be false; one of twenty demonstrations once published nothing because of it.
    """

    def some(service: str, ago: float, first: float) -> list[Incident]:
        named = (
            _incident(f"{service}{ago:.0f}-{number}", ago - number / 10, first + 10 * number) for number in range(8)
        )
        return [replace(each, service=service) for each in named]

    forgotten = [_incident(f"open{number}", 20 - number / 10, None, 30) for number in range(8)]
    drawn = [*some("near", 20, 100), *some("near", 50, 130), *some("api", 20, 60), *some("api", 50, 65), *forgotten]
    with built(["mart.changes"], sorted(drawn, key=lambda i: (i.started, i.id))) as warehouse:
        query = "SELECT * FROM mart.changes WHERE calculation_type = 'basic' AND scope = 'service'"
        found = {row["scope_value"]: row for row in rows(warehouse, query)}
    near, api = found["near"], found["api"]
    assert (near["n_abandoned"], near["previous_n_abandoned"], api["n_abandoned"]) == (0, 0, 8)
    assert near["verdict"] == "faster" and near["verdict_without_abandoned"] == "no detectable change"
    assert not near["hangs_on_abandoned"] and api["hangs_on_abandoned"]
    assert "abandoned" not in plain(changes.sentence(near)) and "abandoned" in plain(changes.sentence(api))


@examples(100)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=30),
        min_size=1,
        max_size=4,
    )
)
def test_without_them_is_the_test_of_the_others(groups: list[list[tuple[int, bool, bool, bool]]]) -> None:
    """Leaving rows out inside a comparison, and comparing what is left, is the same."""
    groups = [
        sorted((t, not event, current, gone and not event) for t, event, current, gone in group) for group in groups
    ]
    found = compare(*_columns(groups))
    kept = [[row for row in group if not row[3]] for group in groups]
    expected = compare(*_columns(kept))
    for name, without in (("q", "q_without"), ("is_enough", "is_enough_without")):
        assert np.array_equal(expected[name], found[without], equal_nan=name == "q")
    assert found["n_abandoned"].tolist() == [sum(row[3] and row[2] for row in group) for group in groups]
    assert found["previous_n_abandoned"].tolist() == [sum(row[3] and not row[2] for row in group) for group in groups]


def _columns(groups: list[list[tuple[int, bool, bool, bool]]]) -> tuple[Any, ...]:
    rows = [row for group in groups for row in group]
    bounds = np.cumsum([0, *(len(group) for group in groups)])
    time = np.array([row[0] for row in rows], dtype=np.int64)
    open_, current, gone = (np.array([row[place] for row in rows], dtype=np.bool_) for place in (1, 2, 3))
    return bounds, time, ~open_, current, gone
