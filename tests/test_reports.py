"""The JSON documents and the page: traceable to the tables, honest with little data, safe with any text of a record, and the
same bytes every time."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from report_cases import HISTORIES, Reader, ago, errors, published_twice, rendered
from support import AS_OF, land_custom, slow
from support_e2e import finished_run, latest, published

from mttr_pipeline import reports
from mttr_pipeline.defs import build_defs
from mttr_pipeline.defs.execute import run_instance
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.reports import compliance
from mttr_pipeline.reports.page import rules, words


@pytest.fixture(scope="module")
def demo() -> Path:
    """The newest generation of the demo company."""
    return latest(finished_run())


def read(generation: Path, name: str) -> Any:
    return json.loads((generation / "json" / f"{name}.json").read_text(encoding="utf-8"))


# -- JSON --------------------------------------------------------------------------------------------------------------


def test_summary_keeps_the_keys_that_others_rely_on(demo: Path) -> None:
    summary = read(demo, "summary")
    assert (
        set(summary["current_mttr"])
        == {"mean_minutes", "median_minutes", "p95_minutes"}
        == set(summary["previous_mttr"])
    )
    assert set(summary["change_from_previous"]) == {"mean_pct", "median_pct", "p95_pct"}
    assert {"current_count", "previous_count", "change_pct", "analysed", "open"} <= set(summary["incidents"])
    assert {"start", "end"} == set(summary["period"]) == set(summary["previous_period"])


# -- traceability ------------------------------------------------------------------------------------------------------

#: the few numbers that are counts of rows, with the query that gives them
COUNTED = {
    ("compliance", "breach_count"): "SELECT count(*) FROM target_breaches WHERE started_at >= as_of - INTERVAL 90 DAY",
    ("comparisons", "abandoned_count"): "SELECT count(*) FROM abandoned_incidents",
    ("errors", "unresolved_count"): "SELECT count(*) FROM error_issues WHERE status = 'unresolved'",
    ("learning", "unowned_count"): "SELECT count(*) FROM unowned_incidents",
    (
        "learning",
        "overdue_count",
    ): "SELECT count(*) FROM follow_ups WHERE is_wanted AND is_due AND completed_at IS NULL "
    "AND EXISTS (FROM follow_ups WHERE kind = 'post_mortem' AND external_id IS NOT NULL)",
    ("compliance", "open_breach_count"): "SELECT count(*) FROM target_breaches WHERE is_open",
}


def table_numbers(data_dir: Path) -> set[str]:
    """Every number in a published table, exactly."""
    with published(data_dir) as con:
        columns = con.execute(
            """SELECT table_name, column_name FROM duckdb_columns()
            WHERE NOT internal AND data_type IN ('DOUBLE', 'BIGINT', 'INTEGER', 'HUGEINT', 'UBIGINT', 'UINTEGER')"""
        ).fetchall()
        return {
            repr(value)
            for table, column in columns
            for (value,) in con.execute(
                f'SELECT DISTINCT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL'
            ).fetchall()
        }


def numbers(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from numbers(value, (*path, key))
    elif isinstance(node, list):
        for value in node:
            yield from numbers(value, path)
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path, node


def test_every_number_in_a_document_is_in_a_table(demo: Path) -> None:
    """A reader must be able to look up every figure in the published tables."""
    known = table_numbers(finished_run())
    for name in reports.DOCUMENTS:
        for path, value in numbers(read(demo, name)):
            if path[0] == "downtime_rules":
                continue  # settings, which metric_definitions holds
            if path == ("window_minutes",):
                continue  # one, too
            if (name == "errors" and path[0] in ("counts", "fixes")) or (
                path[1:2] == ("errors",) and path[-1] in ("n", "n_weak")
            ):
                continue  # counts of the issues of a kind
            if path == ("schema_version",) or (name, path[0]) in COUNTED or path == ("quarantined", "n"):
                continue
            assert repr(value) in known, (name, path, value)


@pytest.mark.parametrize(("name", "key"), COUNTED)
def test_counts_of_rows_are_what_a_query_counts(demo: Path, name: str, key: str) -> None:
    """These numbers are in no table."""
    with published(finished_run()) as con:
        query = COUNTED[name, key].replace("as_of", "(SELECT max(as_of) FROM mttr_stats)")
        assert con.execute(query).fetchall() == [(read(demo, name)[key],)]


def test_every_figure_on_the_page_is_in_a_document(demo: Path) -> None:
    """The page computes nothing: a figure of its own could differ from the tables."""
    known = {repr(value) for name in reports.DOCUMENTS for _, value in numbers(read(demo, name))}
    page = (demo / "report.html").read_text(encoding="utf-8")
    shown = re.findall(r'<data value="([^"]*)">', page)
    assert len(shown) > 200
    assert [value for value in shown if value not in known] == []


def test_members_of_the_comparison_are_rows_of_mttr_stats(demo: Path) -> None:
    comparisons = read(demo, "comparisons")
    with published(finished_run()) as con:
        for dimension in ("severity", "service", "team"):
            found = con.execute(
                """SELECT scope_value, window_start IS NULL, km_median, mean_minutes, incidents_matched FROM mttr_stats
                WHERE calculation_type = 'basic' AND scope = ? AND (window_end IS NULL OR window_end = as_of)
                ORDER BY scope_value, window_start NULLS FIRST""",
                [dimension],
            ).fetchall()
            assert found == [
                (
                    *(row["scope_value"], row["window_start"] is None, row["km_median"], row["mean_minutes"]),
                    row["incidents_matched"],
                )
                for row in comparisons[dimension]
            ]


# -- little data and chance --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "sentences"),
    [
        (
            "nothing",
            ["There are no incidents to report.", "No data: no incident of the last 90 days", "No source is pulled"],
        ),
        ("one", ["Too few incidents of the last 30 days have recovered", "not enough data (n = 1 )"]),
        (
            "only open",
            [
                "Too few incidents of the last 30 days have recovered",
                "0 recovered, 8 still open",
                "8 past their target",
            ],
        ),
        ("thin", ["40 incidents. No week has 5 or more recoveries.", "5 open incidents are past their target."]),
        *slow(
            (
                "only invalid",
                ["Too few incidents of the last 30 days have recovered", "8 incidents, none with a usable duration"],
            ),
            ("only old", ["No incidents started in the last 30 days.", "None is past its target."]),
            (
                "moving apart",
                [
                    "Most incidents took less time than in the previous 30 days, but the longest ones took more.",
                    "Most incidents and the longest ones changed in opposite directions.",
                    "The longest incidents dominate it.",
                ],
            ),
            (
                "all alike",
                ["There is no detectable change from the previous 30 days.", "none (most durations are equal)"],
            ),
            (
                "timeouts",
                ["Fewer than half of the incidents of the last 30 days are known to have recovered", "more than 4 h"],
            ),
        ),
    ],
)
def test_thin_histories_state_what_is_missing(history: str, sentences: list[str]) -> None:
    """A sentence for each kind of missing data, and no NaN or None anywhere on the page."""
    documents, page, markdown = rendered(history)
    reader = Reader(page)
    text = " ".join([reader.text, *(svg["aria-label"] or "" for svg in reader.all("svg"))])
    for sentence in sentences:
        assert sentence in text
    assert "nan" not in re.findall(r"\w+", text.lower())
    assert "None" not in re.findall(r"\w+", text.replace("None is past", ""))
    assert documents["summary"]["current_mttr"]["mean_minutes"] is None or not history.startswith(("only", "nothing"))
    assert markdown


@pytest.mark.parametrize("history", HISTORIES)
def test_documents_of_thin_histories_are_valid(history: str) -> None:
    """Few or odd incidents give the most nulls."""
    for name, document in rendered(history)[0].items():
        assert errors(name, document) == [], name
        json.loads(reports.dumps(document))


def test_limits_of_a_ratio_of_means_need_a_hundred_recoveries(demo: Path) -> None:
    """With fewer recoveries the limits exclude 1 several times as often as 95 % limits may."""
    row = {"method": "rmst_ratio", "n_events": 100, "previous_n_events": 100, "ratio_low": 0.5, "ratio_high": 2.0}
    assert rules.shows_ratio_limits(row)
    assert not rules.shows_ratio_limits({**row, "previous_n_events": 99})
    assert rules.shows_ratio_limits({**row, "method": "hodges_lehmann", "n_events": 6})
    assert not rules.shows_ratio_limits({**row, "ratio_high": None})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (94.857, "94.9 %"),
        (94.98, "94.98 %"),
        (99.92, "99.9 %"),
        (99.96, "99.96 %"),
        (100.0, "100 %"),
        (95.0, "95 %"),
        (0.0, "0 %"),
    ],
)
def test_a_share_is_never_rounded_up_to_the_goal_or_to_all(value: float, shown: str) -> None:
    """95 % next to the status warning, or 100 % next to a breach, would contradict each other."""
    assert words.share(value).striptags() == shown


def coloured(demo: Path, light: str) -> dict[str, Any]:
    """The documents of the demo, with a verdict wherever the page may colour one, and with that light."""
    documents = {name: read(demo, name) for name in reports.DOCUMENTS}
    documents["summary"]["traffic_light"]["light"] = light
    documents["summary"]["change"].update(verdict="slower", q=0.001, is_mixed=False)
    for row in documents["comparisons"]["changes"]:
        row.update(verdict="faster", q=0.001, is_mixed=False)
    for row in documents["trend"]["directions"]:
        row.update(direction="slower", change_pct_per_week=3.0, mann_kendall_q=0.001)
    for row in documents["data_quality"]["lights"]:
        row["light"] = light if row["source"] == "all" else row["light"]
    return documents


COLOURED = {"good", "fair", "bad"}


def colours(page: str) -> list[str]:
    """The class of everything that has the colour of a verdict."""
    return [each["class"] or "" for _, each in Reader(page).tags if COLOURED & set((each.get("class") or "").split())]


def test_a_red_light_comes_first_and_no_verdict_has_a_colour(demo: Path) -> None:
    """A reader who reads one line must see the warning, and must not see green or red figures that nobody can rely on."""
    documents = coloured(demo, "red")
    page = reports.render(documents)
    text = Reader(page[page.index("<main") :]).text
    assert text.startswith("Do not rely on these figures yet : see data quality .")
    assert text.index("Data quality \N{BLACK DIAMOND} red") < text.index("Typical recovery, last 30 days")
    assert reports.markdown(documents).startswith("Do not rely on these figures yet: see data quality.")
    assert colours(page) == []
    assert 'class="figure alarm"' in page


@pytest.mark.parametrize("light", ["green", "amber"])
def test_without_a_red_light_nothing_warns_and_verdicts_have_colours(demo: Path, light: str) -> None:
    """Else the colours could be missing for another reason, and the warning would be worth nothing."""
    documents = coloured(demo, light)
    page = reports.render(documents)
    text = Reader(page[page.index("<main") :]).text
    assert "Do not rely" not in text + reports.markdown(documents)
    assert text.index("Data quality ") > text.index("Typical recovery, last 30 days")
    assert len(colours(page)) > 5
    assert 'class="badge good"' in page and '<strong class="bad">slower</strong>' in page


def test_a_source_that_was_never_pulled_is_not_called_stale(demo: Path) -> None:
    documents = {name: read(demo, name) for name in reports.DOCUMENTS}
    documents["data_quality"]["sources"][0] |= {"status": "failed", "data_as_of": None, "error": "no such key"}
    text = Reader(reports.render(documents)).text
    assert f"{documents['data_quality']['sources'][0]['source']} has never been pulled successfully." in text
    assert "data as of no data" not in text


def test_a_90th_percentile_needs_ten_recoveries(demo: Path) -> None:
    """With fewer recoveries it is one or two incidents."""
    documents = {name: read(demo, name) for name in reports.DOCUMENTS}
    documents["summary"]["recovery"]["current"]["n_events"] = 9
    text = Reader(reports.render(documents)).text
    assert "nine in ten" not in text
    assert "not enough data (n = 9 )" in text


def test_thousands_are_separated_by_commas_everywhere(demo: Path) -> None:
    """In texts, tables, charts and their text alternatives: 1,234 and never 1234 or 1 234."""

    def enlarged(node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            return {name: enlarged(value, name) for name, value in node.items()}
        if isinstance(node, list):
            return [enlarged(value, key) for value in node]
        is_large = isinstance(node, int) and not isinstance(node, bool) and key != "schema_version"
        return node * 1001 + 1234 if is_large else node * 20_000 if key.endswith("minutes") and node else node

    documents = {name: enlarged(read(demo, name)) for name in reports.DOCUMENTS}
    for row in documents["data_quality"]["findings"]:
        row["meaning"] = "a finding"  # a text from the table, which may name a year
    page = re.sub(r"<(time|code|bdi)\b.*?</\1>", "", reports.render(documents), flags=re.S)
    reader = Reader(page)
    texts = [text.strip() for text in [*reader.words, *(svg["aria-label"] or "" for svg in reader.all("svg"))]]
    shown = [re.sub(r"\b20\d\d-\d\d-\d\d\b", "", text) for text in texts]
    assert [text for text in shown if re.search(r"\d{4}|\d[ \u00a0\u2009\u202f]\d{3}\b", text)] == []
    for row in compliance.recent(documents["compliance"]["targets"]):
        name = f"{row['severity']} (n = {row['incidents_count']:,})"
        assert shown.count(name) >= 2, "in the chart for a desktop and in the one for a phone"
    assert sum(bool(re.search(r"\d,\d{3}", text)) for text in shown) > 300


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"direction": "faster"}, "recovery is getting faster . The weekly median changes by"),
        ({"direction": "slower"}, "recovery is getting slower . The weekly median changes by"),
        ({"direction": "no detectable direction", "direction_reason": None}, "no detectable direction (q"),
        ({"direction": "not enough data", "direction_reason": "3 weeks"}, "not enough data for a direction (3 weeks)."),
        (
            {"shift": "slower", "before_median_minutes": 20.0, "after_median_minutes": 90.0},
            "Typical recovery is 1 h 30 min , and was 20 min before.",
        ),
        (
            {"shift": "faster", "before_median_minutes": 20.0, "after_median_minutes": 21.0},
            "before: this figure alone does not show it, all durations together do.",
        ),
        (
            {"shift": "slower", "before_median_minutes": 20.0, "after_median_minutes": None},
            "Before it, typical recovery is 20 min ; from it, fewer than half of the incidents are known to have recovered.",
        ),
        ({"n_before_history": 3}, "3 incidents are left out: they began before the complete history of their source."),
        ({"n_before_history": 1}, "1 incident is left out: it began before the complete history of its source."),
        ({"shift": "no detectable shift", "shift_reason": None}, "No detectable shift."),
        ({"shift": "not enough data", "shift_reason": "2 incidents"}, "Not enough data for a shift (2 incidents)."),
    ],
)
def test_sentences_about_the_trend_say_what_was_found(demo: Path, change: dict[str, str], sentence: str) -> None:
    """Each sentence appears for its finding only: a direction and a shift are claims."""
    documents = {name: read(demo, name) for name in reports.DOCUMENTS}
    (whole, *_) = documents["trend"]["directions"]
    neutral = {
        "direction": "not enough data",
        "direction_reason": "none",
        "shift": "not enough data",
        "shift_reason": "none",
        "n_events": 646,
        "shift_at": "2025-06-01T00:00:00Z",
        "n_before_history": 0,
        "mann_kendall_q": 0.01,
        "shift_q": 0.01,
    }
    texts = []
    for finding in (change, {}):
        documents["trend"]["directions"] = [{**whole, **neutral, **finding}]
        texts.append(Reader(reports.render(documents)).text)
    assert sentence in texts[0]
    assert sentence not in texts[1]


@pytest.mark.parametrize(
    ("number", "present", "absent"),
    [
        (
            0,
            ["No incident of the last 90 days missed its target.", "No open incident is past its target."],
            "exceeded it",
        ),
        (
            1,
            ["1 incident missed its target.", "1 incident of the whole history is open and past target."],
            "exceeded it",
        ),
        (10, ["10 incidents missed their target.", "are open and past target."], "exceeded it"),
        (12, ["These 10 exceeded it by the most time.", "target_breaches lists 2 more."], "missed its target"),
    ],
)
def test_breaches_are_counted_and_the_list_says_when_it_is_cut(
    demo: Path, number: int, present: list[str], absent: str
) -> None:
    """A reader of a list of ten must know whether these are all."""
    documents = {name: read(demo, name) for name in reports.DOCUMENTS}
    found = documents["compliance"]
    for name, total in (("worst_breaches", "breach_count"), ("open_breaches", "open_breach_count")):
        found[name], found[total] = found["worst_breaches"][:1] * number, number
    text = re.sub(r" ([.,])", r"\1", Reader(reports.render(documents)).text)
    assert [sentence for sentence in present if sentence not in text] == []
    assert absent not in text


@pytest.mark.parametrize(
    ("method", "present", "absent"),
    [
        ("hodges_lehmann", "The duration of incidents is 0.50 times that of the previous 30 days", "capped at"),
        (
            "rmst_ratio",
            "The mean duration, with each duration capped at 7.0 days , is 0.50 times",
            "The duration of incidents",
        ),
    ],
)
def test_the_ratio_is_named_by_its_method(demo: Path, method: str, present: str, absent: str) -> None:
    """A ratio of capped means is not a ratio of typical durations; the two may disagree."""
    documents = {name: read(demo, name) for name in reports.DOCUMENTS}
    documents["summary"]["change"] |= {
        "verdict": "faster",
        "is_mixed": False,
        "q": 0.01,
        "method": method,
        "ratio": 0.5,
        "horizon_minutes": 10080.0,
        "ratio_low": 0.4,
        "ratio_high": 0.6,
        "n_events": 50,
        "previous_n_events": 50,
        **{f"km_median{end}": minutes for end, minutes in (("", 20.0), ("_low", 15.0), ("_high", 25.0))},
        **{f"previous_km_median{end}": minutes for end, minutes in (("", 60.0), ("_low", 50.0), ("_high", 70.0))},
    }
    text = Reader(reports.render(documents)).text
    assert present in text and absent not in text
    assert "Recovery is faster than in the previous 30 days." in text
    assert ("95 % limits: 0.40 to 0.60" in text) is (method == "hodges_lehmann")


def test_an_interrupted_pull_is_not_called_failed(demo: Path) -> None:
    """A run that was killed is no failure of the source; its row says so until the next pull."""
    documents = {name: read(demo, name) for name in reports.DOCUMENTS}
    documents["data_quality"]["sources"][0].update(status="interrupted", error="The run was killed.")
    text = Reader(reports.render(documents)).text
    assert "interrupted: The run was killed." in text
    assert "failed: The run" not in text


@pytest.mark.parametrize(("q", "coloured"), [(0.049, True), (0.05, False), (None, False)])
def test_a_change_has_a_colour_only_when_chance_is_ruled_out(q: float | None, coloured: bool) -> None:
    row = {"q": q, "verdict": "slower", "is_mixed": False, "hangs_on_abandoned": False}
    assert (rules.change_colour(row) is not None) is coloured
    assert rules.change_colour({**row, "is_mixed": True}) is None
    assert rules.change_colour({**row, "hangs_on_abandoned": True}) is None


@pytest.mark.parametrize(
    ("missed", "low", "status", "colour"),
    [
        (True, 5.0, "critical", "bad"),
        (True, 81.6, "warning", "fair"),
        (False, 1.0, "critical", None),
        (False, 60.0, "warning", None),
        (False, 95.2, "healthy", "good"),
        (False, 83.0, "healthy", None),
    ],
)
def test_a_target_has_a_colour_only_when_chance_is_ruled_out(
    missed: bool, low: float, status: str, colour: str | None
) -> None:
    """A miss by its test, a success by its lower limit."""
    row = {"is_missed": missed, "compliance_pct": 50.0, "compliance_low_pct": low, "status": status}
    assert rules.target_colour(row) == colour


@pytest.mark.parametrize(
    ("status", "missed", "low", "present"),
    [
        ("critical", True, 10.0, "SEV1, SEV2, SEV3 and SEV4 below the goal"),
        ("critical", False, 1.0, "no clear miss"),
        ("warning", False, 60.0, "no clear miss"),
        ("healthy", False, 80.0, "no miss detected"),
        ("healthy", False, 95.2, "all meet the goal"),
    ],
)
def test_the_card_of_targets_claims_no_more_than_the_test_allows(
    demo: Path, status: str, missed: bool, low: float, present: str
) -> None:
    """A miss and a success are claims; with few incidents both may be chance."""
    documents = {name: read(demo, name) for name in reports.DOCUMENTS}
    for row in documents["compliance"]["targets"]:
        row |= {"status": status, "compliance_low_pct": low, "is_missed": missed}
    text = Reader(reports.render(documents)).text
    verdicts = ("SEV1, SEV2, SEV3 and SEV4 below the goal", "no clear miss", "no miss detected", "all meet the goal")
    assert [verdict for verdict in verdicts if verdict in text] == [present]
    assert ("missed their targets more often than the goal allows" in text) is missed


def test_a_source_is_stale_when_it_failed_or_missed_a_night() -> None:
    source = {"status": "complete", "data_as_of": "2026-01-01T00:00:00Z"}
    assert not rules.is_stale(source, "2026-01-02T12:00:00Z")
    assert rules.is_stale(source, "2026-01-02T12:00:01Z")
    assert rules.is_stale({**source, "status": "failed"}, "2026-01-01T00:00:00Z")
    assert rules.is_stale({**source, "data_as_of": None}, "2026-01-01T00:00:00Z")


def test_stale_sources_are_named(demo: Path) -> None:
    """A reader must know which source is stale, and why."""
    documents = {name: read(demo, name) for name in reports.DOCUMENTS}
    documents["data_quality"]["sources"][0].update(status="failed", error="<refused>")
    page = Reader(reports.render(documents))
    assert f"{documents['data_quality']['sources'][0]['source']} is stale: data as of" in page.text
    assert "failed: <refused>" in page.text


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0.0, "0 s"),
        (0.7, "42 s"),
        (0.9999, "60 s"),
        (9.96, "10 min"),
        (9.0, "9.0 min"),
        (59.6, "1 h"),
        (187.166, "3 h 7 min"),
        (1440.0, "24 h"),
        (3000.0, "2.1 days"),
    ],
)
def test_durations_as_people_read_them(minutes: float, text: str) -> None:
    assert words.duration(minutes) == text


# -- text from records -------------------------------------------------------------------------------------------------


def test_foreign_text_stays_text() -> None:
    """A title must not become markup, a template or a control character."""
    _, page, markdown = rendered("odd")
    found = Reader(page)
    assert "<script>alert(1)</script> \"x\" & 'y'" in found.text
    assert "{{ 7 * 7 }}" in found.text
    assert "<b>x</b>" in found.text
    assert not found.all("iframe", "object", "embed", "base", "form", "b")
    assert found.all("script") == [{}]  # the one of the page
    assert not [sign for sign in page if sign < " " and sign not in "\n\t"]
    assert [attributes for _, attributes in found.tags if any(name.startswith("on") for name in attributes)] == []
    assert "<script" not in markdown


def test_a_breach_without_a_title_is_named_as_people_know_it() -> None:
    """By its key, else by the id of its source: nobody can look up our UUID in the source system."""
    documents = copy.deepcopy(rendered("odd")[0])
    breaches = documents["compliance"]["worst_breaches"]
    (untitled,) = (row for row in breaches if row["external_id"] == "known as 9")
    assert untitled["title"] is None and "known as 9" in Reader(reports.render(documents)).text
    causes = documents["comparisons"]["downtime_incidents"]
    for row in (untitled, *(row for row in causes if row["external_id"] == "known as 9")):
        row["key"] = "INC-7"
    shown = Reader(reports.render(documents)).text
    assert "INC-7" in shown and "known as 9" not in shown
    assert not [row for row in breaches if row["incident_id"] in shown]


def test_what_may_be_recorded_twice_is_listed() -> None:
    """Both incidents with title and id, so that people can look them up. Without such a pair there is no text about duplicates."""
    documents, page, _ = rendered("odd")
    (row,) = documents["data_quality"]["suggested_links"]
    assert (row["external_id"], row["other_external_id"]) in (("twin 1", "twin 2"), ("twin 2", "twin 1"))
    assert (row["minutes_apart"], row["similarity"]) == (0, 0.5)
    text = Reader(page).text
    assert all(
        said in text for said in ("recorded twice", "Checkout: <i>down</i>", "checkout I broken?", "twin 1", "twin 2")
    )
    assert "Possible duplicates" not in Reader(rendered("one")[1]).text


def test_only_web_addresses_become_links() -> None:
    """An address from a record must not run a script."""
    found = Reader(rendered("odd")[1])
    links = [attributes["href"] for attributes in found.all("a")]
    assert "https://example.test/?a=1&b=<2>" in links
    assert all(
        link and link.startswith(("#", "https://example.test/", "parquet/", "json/", "mttr.duckdb")) for link in links
    )


@pytest.mark.parametrize(
    "url", [None, "", "ftp://x/", "https://", "//x/y", "java\nscript:x", "http://[", "JAVASCRIPT:x"]
)
def test_other_addresses_are_none(url: str | None) -> None:
    from mttr_pipeline.reports.page.render import link

    assert link(url) is None


def test_the_page_loads_nothing(demo: Path) -> None:
    """The page must be safe to mail and must work offline."""
    page = (demo / "report.html").read_text(encoding="utf-8")
    found = Reader(page)
    assert [attributes["href"] for attributes in found.all("link")] == ["data:,"]
    assert not found.all("img", "iframe", "object", "embed", "image", "use")
    assert not [attributes for _, attributes in found.tags if {"src", "srcset", "style"} & attributes.keys()]
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    policies = [each["content"] for each in found.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert (policies[0] or "").startswith("default-src 'none'")
    # It runs the script of the page, named by its hash, and no other.
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in (policies[0] or "")
    assert not re.search(r"fetch|XMLHttp|import|WebSocket|sendBeacon|http", script)
    assert len(page) < 2_000_000


# -- the same bytes ----------------------------------------------------------------------------------------------------


def test_the_same_tables_give_the_same_bytes() -> None:
    """Equal results must be recognisable as equal files."""
    first, second = published_twice()
    names = [*(f"json/{name}.json" for name in reports.DOCUMENTS), "report.html", "report/services.html"]
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
        assert "run-a" not in (first / name).read_text(encoding="utf-8"), name
    assert set(names) <= set(json.loads((first / "manifest.json").read_text())["files"])


# -- Dagster -----------------------------------------------------------------------------------------------------------


def test_dagster_shows_the_verdict_and_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks warn and never block; the asset shows what the page shows."""
    landing = Landing(tmp_path / "landing")
    land_custom(landing, HISTORIES["odd"])
    deploy = {"service": "shop", "version": "2.0", "finished_at": ago(days=3)}
    deploys = [{**deploy, "external_id": "d1"}, {**deploy, "external_id": "d2", "environment": "prod-eu"}]
    land_custom(landing, deploys, "run-2")
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    with run_instance() as instance:
        result = (
            build_defs()
            .resolve_job_def("rebuild")
            .execute_in_process(
                instance=instance,
                run_config={
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                    "resources": {"run": {"config": {"data_dir": str(tmp_path), "as_of": AS_OF.isoformat()}}},
                },
            )
        )
    assert result.success
    [shown] = result.asset_materializations_for_node("report__summary")
    verdict = shown.metadata["verdict"].value
    assert str(verdict).startswith("Half of the incidents")
    assert "data:image/png;base64," in str(verdict)
    assert isinstance(shown.metadata["km_median_minutes"].value, float)
    assert shown.metadata["breaches_90_days"].value == read(latest(tmp_path), "compliance")["breach_count"]
    records, incidents = (shown.metadata[name].value for name in ("all_records", "all_incidents"))
    assert records == incidents == len(HISTORIES["odd"])
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert not checks["target_SEV2"].passed
    assert checks["target_SEV1"].passed  # no data is no miss
    assert {checks[name].severity for name in ("target_SEV2", "traffic_light")} == {dg.AssetCheckSeverity.WARN}
    assert not checks["target_SEV2"].blocking
    known = checks["deploys_known"]
    assert not known.passed and not known.blocking and known.severity == dg.AssetCheckSeverity.WARN
    assert known.description == "1 deploy to production in the last 30 days; findings about deploys: 1"
    assert known.metadata["deploys"].value == shown.metadata["deploys"].value == 1
    assert "custom: 1 of 2 deploys to an environment that no map contains" in str(known.metadata["findings"].value)
    assert datetime.fromisoformat(read(latest(tmp_path), "summary")["as_of"]) == AS_OF
