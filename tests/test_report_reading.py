"""What a reader would stumble over: sentences in the wrong place, twice, or beside a column that says something else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from report_cases import Reader, incident
from support import door, slow

from mttr_pipeline import reports
from mttr_pipeline.reports.page.terms import TERMS


def told(tmp_path: Path, records: list[dict[str, Any]], **configured: Any) -> tuple[str, str]:
    """The text of the page and the Markdown of these records."""
    with door(tmp_path, records, configured=configured) as warehouse:
        documents = reports.documents(warehouse.con)
    return Reader(reports.render(documents)).text, reports.markdown(documents)


def test_each_term_is_defined_once() -> None:
    """Two merged changes once defined one word in two ways on one page."""
    assert [term for term, n in Counter(term for term, _ in TERMS).items() if n > 1] == []


def test_services_without_an_incident_are_counted_below_the_downtime(tmp_path: Path) -> None:
    """Whether or not anything is abandoned, and nowhere else: the sentence once stood below the abandoned incidents."""
    text, _ = told(tmp_path, [incident("now", days=3, minutes=60), incident("then", days=60, minutes=60, service="x")])
    sentence = "1 other service had no incident in this time and is not listed."
    before, _, after = text.partition(sentence)
    assert before.rstrip().endswith("no target") and after.lstrip().startswith("Incidents with the most downtime")
    assert "abandoned incidents" not in text


@pytest.mark.parametrize(("days", "named"), [(2.5, "2.5 days"), *slow((1, "1 day"))])
def test_after_how_long_an_incident_is_abandoned(tmp_path: Path, days: float, named: str) -> None:
    """Whoever sets another time reads that time in every sentence."""
    records = [incident("lost", days=40, minutes=None), incident("fine", days=2, minutes=60)]
    text, lines = told(tmp_path, records, lifecycle={"abandoned_days": days})
    assert f"neither an event nor an update at the vendor for {named}." in text
    assert f"open, without an event or an update for {named}." in lines


def test_abandoned_incidents_are_listed_by_what_their_column_says(tmp_path: Path) -> None:
    """An update at the vendor counts, so the order is not that of the last events."""
    records = [
        incident(
            "touched",
            days=40,
            minutes=None,
            title="older event",
            updated_at=incident("", days=10, minutes=None)["detected_at"],
        ),
        incident("quiet", days=30, minutes=None, title="longer quiet"),
    ]
    text, _ = told(tmp_path, records)
    listed = text.partition("quiet for the longest time first")[2]
    assert "age quiet for" in listed
    assert listed.index("longer quiet") < listed.index("older event")
    assert "40.0 days 10.0 days" in listed and "30.0 days 30.0 days" in listed


def over_at_an_unknown_time(name: str, days: float) -> dict[str, Any]:
    return incident(name, days=days, minutes=None, status="closed")


def test_the_counts_of_a_figure_add_up(tmp_path: Path) -> None:
    """12 of 15 incidents have a duration, none is open: the other 3 are named, not left for the reader to miss."""
    fine = [incident(f"fine{number}", days=number + 1, minutes=60) for number in range(12)]
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    text, _ = told(tmp_path / "with", [*fine, *(over_at_an_unknown_time(f"over{n}", n + 2) for n in range(3))])
    assert "12 recovered, 0 still open or timed out, 3 without a usable duration" in text.replace(" ,", ",")
    assert "15 12 0 ( 3 incidents left out)" in text
    assert "incidents left out" in text.partition("Last 90 days by week")[2].partition("Where the time goes")[0]
    text, _ = told(tmp_path / "without", fine)
    assert "12 recovered, 0 still open or timed out" in text.replace(" ,", ",")
    assert "without a usable duration" not in text and "left out)" not in text


def test_the_most_important_warning_affects_the_most_rows(tmp_path: Path) -> None:
    """Not the first one of the alphabet: 2 of 24,918 were once called more important than 5,360."""
    records = [
        *(incident(f"fine{number}", days=number + 1, minutes=60) for number in range(40)),
        *(over_at_an_unknown_time(f"over{number}", number + 2) for number in range(3)),
        incident("backwards", days=3, minutes=-30),
    ]
    with door(tmp_path, records, only=["mart.data_quality_status"]) as warehouse:
        found = warehouse.con.execute("SELECT source, headline FROM mart.data_quality_status ORDER BY 1").fetchall()
    assert {
        source: headline.partition(": incidents")[0] for source, headline in found if source != "configuration"
    } == {
        "all": "Usable, with 2 warnings; the most important: custom, 3 of 44",
        "custom": "Usable, with 2 warnings; the most important: 3 of 44",
    }


def test_an_impact_long_before_the_detection_is_a_finding(tmp_path: Path) -> None:
    """A wrong year in one field once took 16 days of downtime and a mean detection of 90 days to a page without a warning."""
    records = [
        incident("mistyped", days=2, minutes=30, occurred_at=incident("", days=9.1, minutes=None)["detected_at"]),
        incident("slow", days=2, minutes=30, occurred_at=incident("", days=8.9, minutes=None)["detected_at"]),
        incident("unknown", days=2, minutes=30),
    ]
    for folder, given, expected in (
        ("some", records, [(1, 2, "warn", ["mistyped"])]),
        ("fine", records[1:], [(0, 1, "ok", None)]),
        ("none", records[2:], []),
    ):
        (tmp_path / folder).mkdir()
        with door(tmp_path / folder, given, only=["figures.findings_impact"]) as warehouse:
            found = warehouse.con.execute(
                "SELECT n, total, CASE WHEN n = 0 THEN 'ok' ELSE level END, examples FROM figures.findings_impact "
                "WHERE dq_check = 'impact_long_before_detection'"
            ).fetchall()
        assert found == expected, folder
