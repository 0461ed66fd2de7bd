"""What the page says about phases, opportunities and outliers: each sentence where it is true, and nowhere else."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from report_cases import Reader, ago, incident
from support import door

from mttr_pipeline import reports
from mttr_pipeline.reports.page import rules


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Twenty-nine incidents of 40 minutes, eight of them with every phase from detected, and one of ten days."""
    history = [
        incident(
            f"i{number}",
            days=number / 2 + 2,
            minutes=40,
            **(
                {
                    "acknowledged_at": ago(days=number / 2 + 2, minutes=-10),
                    "mitigated_at": ago(days=number / 2 + 2, minutes=-35),
                }
                if number < 8
                else {}
            ),
        )
        for number in range(29)
    ]
    history.append(incident("long", days=12, minutes=14_400))
    with door(tmp_path_factory.mktemp("phases"), history) as warehouse:
        return reports.documents(warehouse.con)


def page(documents: dict[str, Any]) -> str:
    """The text of the page; a figure and the sign after it stand together."""
    return re.sub(r" ([.,)])", r"\1", Reader(reports.render(documents)).text).replace("( ", "(")


def section(text: str, first: str, then: str) -> str:
    """The text between two headings."""
    return text[text.rindex(first) : text.rindex(then)]


def test_shares_say_whose_they_are(documents: dict[str, Any]) -> None:
    """Eight of twenty-nine resolved incidents are more than a quarter: drawn, with n and coverage, without any occurred."""
    rows = {row["phase"]: row for row in documents["summary"]["phase_breakdown"]}
    assert [rows[name]["share_pct"] for name in ("acknowledgment", "investigation", "mitigation")] == [25.0, 62.5, 12.5]
    assert (rows["investigation"]["share_n"], rows["investigation"]["incidents_with_recovery"]) == (8, 29)
    assert rows["detection"]["share_pct"] is None and rows["detection"]["from_occurred_share_n"] == 0
    reader = Reader(reports.render(documents))
    text = page(documents)
    assert "those of the 8 of 29 resolved incidents of the last 30 days (28 %) that have every phase." in text
    labels = [svg["aria-label"] or "" for svg in reader.all("svg")]
    assert any("acknowledgment 25 %, investigation 62 %, mitigation 12 %" in label for label in labels)
    assert "share from detected" in text and "share from occurred" not in text


@pytest.mark.parametrize(
    ("n", "coverage", "drawn"),
    [(20, 0.1, True), (19, 24.9, False), (3, 25.0, True), (0, None, False), (None, None, False)],
)
def test_shares_need_twenty_incidents_or_a_quarter(
    documents: dict[str, Any], n: int | None, coverage: float | None, drawn: bool
) -> None:
    """Shares of a few percent of the incidents are not where the time goes. The table of phases is there in any case."""
    assert rules.shows_shares(n, coverage) is drawn
    if n is None:
        return
    changed = copy.deepcopy(documents)
    for row in changed["summary"]["phase_breakdown"]:
        if row["share_n"] is not None:
            row |= {"share_n": n, "coverage_pct": coverage}
    text = page(changed)
    assert ("Share of the time from detected to resolved." in text) is drawn
    assert ("Shares need 20 incidents, or a quarter of the resolved ones." in text) is not drawn
    assert ("share from detected" in text) is drawn
    assert "Phases of the last 30 days, coarse model" in text and "25 min" in text


def test_shares_from_occurred_are_shown_where_they_cover_enough(documents: dict[str, Any]) -> None:
    """They have an n of their own, and stand beside the others."""
    changed = copy.deepcopy(documents)
    for row in changed["summary"]["phase_breakdown"]:
        if row["from_occurred_share_n"] is not None:
            row |= {"from_occurred_share_n": 20, "from_occurred_coverage_pct": 8.0, "from_occurred_share_pct": 25.0}
    text = page(changed)
    assert "share from occurred" in text
    assert "those of the 20 incidents (8 % of the resolved ones) that also say when the impact began." in text


def test_without_a_resolved_incident_there_are_no_shares(documents: dict[str, Any]) -> None:
    changed = copy.deepcopy(documents)
    for row in changed["summary"]["phase_breakdown"]:
        row |= {"incidents_with_recovery": 0, "share_pct": None, "coverage_pct": None}
        row["share_n"] = None if row["share_n"] is None else 0
    text = page(changed)
    assert "No data for shares: no incident of the last 30 days is resolved within the outlier limit." in text
    changed["summary"]["incidents"]["outliers"] = 0
    assert "No data for shares: no incident of the last 30 days is resolved." in page(changed)


@pytest.mark.parametrize(("unmeasured", "said"), [(0.0, True), (50.0, True), (50.1, False), (72.4, False)])
def test_an_opportunity_is_named_only_where_phases_measure_half_of_the_minutes(
    documents: dict[str, Any], unmeasured: float, said: bool
) -> None:
    """`Most of the time went into X` is false where nobody knows where most of the time went."""
    changed = copy.deepcopy(documents)
    (row,) = (row for row in changed["bottlenecks"]["opportunities"] if row["scope"] == "all" and row["window_start"])
    assert row["unmeasured_pct"] == pytest.approx(100 * 21 / 29)
    row |= {"unmeasured_pct": unmeasured, "share_pct": 31.0}
    text = page(changed)
    sentence = "investigation is the phase that took the most time: 3 h 20 min in 8 incidents, 31 % of all minutes."
    assert (sentence in text) is said
    assert (f"No phase measures {unmeasured:.0f} % of the minutes." in text) is (said and unmeasured > 0)
    assert "No phase reaches its warning level." not in text


def test_a_page_without_phases_names_none(documents: dict[str, Any]) -> None:
    """As it is: 72 % of the minutes are in no phase."""
    assert "is the phase that took the most time" not in page(documents)


def test_outliers_stand_beside_every_mean(documents: dict[str, Any]) -> None:
    """Count and share of the minutes, in the three sections with means; nothing is said where nothing is left out."""
    text = page(documents)
    said = "Means and phases of the last 30 days leave out 1 outlier, with 92.5 % of all minutes."
    assert documents["summary"]["incidents"]["outlier_minutes_share"] == pytest.approx(14_400 / (14_400 + 29 * 40))
    assert said in section(text, "Where the time goes", "Incidents within their target")
    assert text.count(said) == 2
    assert re.search(r" 1 \(9\d\.\d+ %\)", text), "the week of the outlier"
    changed = copy.deepcopy(documents)
    changed["summary"]["incidents"] |= {"outliers": 0, "outlier_minutes_share": 0.0}
    for row in changed["trend"]["windows"]:
        row |= {"outlier_count": 0, "outlier_minutes_share": 0.0}
    assert "Means and phases of" not in page(changed)
    assert not re.search(r"1 \(9\d\.\d+ %\)", page(changed))
