"""What people see of errors and of learning: two sections of the page, errors.json, learning.json, lists of incidents, metrics, the
terminal. Each sentence where it is true, and not elsewhere; nothing at all where nothing is known."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from learned_worlds import EVERYTHING, WORLDS, Company, company, incident, shown, tidy
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from report_cases import errors
from support import AS_OF, slow

from mttr_pipeline import reports
from mttr_pipeline.reports import learning
from mttr_pipeline.reports.errors import numbers
from mttr_pipeline.reports.page import rules
from mttr_pipeline.reports.page.errors import post_mortem, tied, verdict
from mttr_pipeline.reports.page.names import slug
from mttr_pipeline.reports.page.terms import DELIVERY, ERRORS, LEARNING, TERMS
from mttr_pipeline.reports.page.words import version

SECTIONS = ("errors", "learning")
DUE = "2026-11-03T09:00:00Z"


def _numbers(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return [value for each in node.values() for value in _numbers(each)]
    if isinstance(node, list):
        return [value for each in node for value in _numbers(each)]
    return [node] if isinstance(node, int | float) and not isinstance(node, bool) else []


@pytest.mark.parametrize("world", ["everything", *slow(*(world for world in WORLDS if world != "everything"))])
def test_the_documents_are_valid_and_of_the_tables(world: str) -> None:
    """Also where almost nothing is known. A reader can look up every figure in a published table; counts are counts of rows."""
    documents = shown(world).documents
    for name in (*SECTIONS, "compliance", "delivery"):
        assert errors(name, documents[name]) == []
    counted = ("schema_version", "counts", "fixes", "unresolved_count", "overdue_count", "unowned_count")
    for name in SECTIONS:
        content = {key: value for key, value in documents[name].items() if key not in counted}
        assert [value for value in _numbers(content) if repr(value) not in shown(world).numbers] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_every_figure_of_a_section_is_in_a_document(section: str) -> None:
    """The page computes nothing."""
    known = {repr(value) for value in _numbers(shown("everything").documents)}
    values = re.findall(r'<data value="([^"]*)">', shown("everything").html(section))
    assert len(values) > 40
    assert [value for value in values if value not in known] == []


# -- sentences ---------------------------------------------------------------------------------------------------------

NO_TEST = "The periods are not compared by a test, so a difference between them may be chance."
NO_POST_MORTEM = "No post-mortem is known, so nothing is said of missing ones."
COMES_BACK = "Whether an incident comes back is known 30 days after it began."
UNKNOWN = "who or what noticed them. The others may have been noticed in another way."
AT_DETECTION = "The others count at the detection of their record."
OVERDUE = "of SEV1 and SEV2 has no completed post-mortem after it was due."
UNOWNED = "open or began in the last 30 days has no service or no team."
NO_ISSUE = "No issue is unresolved."
ORDER = "New ones come first, then spiking ones, then by affected users, path value and age."
ENOUGH = "A verdict needs at least 100 sessions of both."
SCALE = "The scale does not begin at 0."
HAD_A_FIX = "had a fix: "
WEAK = "Near in time is no proof."
SENTENCES = (
    UNKNOWN,
    *(NO_TEST, NO_POST_MORTEM, COMES_BACK, AT_DETECTION, OVERDUE, UNOWNED, NO_ISSUE, ORDER, ENOUGH, SCALE, HAD_A_FIX),
    WEAK,
)


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (
            "everything",
            {UNKNOWN, NO_TEST, COMES_BACK, AT_DETECTION, OVERDUE, UNOWNED, ORDER, ENOUGH, SCALE, HAD_A_FIX, WEAK},
        ),
        ("incidents alone", set()),
        ("nothing", set()),
        ("errors alone", {ORDER}),
        ("in order", {NO_TEST, NO_ISSUE, ENOUGH, SCALE, HAD_A_FIX}),
        ("no post-mortems", {NO_TEST, NO_POST_MORTEM}),
    ],
)
def test_each_sentence_is_said_where_it_is_true(world: str, said: set[str]) -> None:
    """And not elsewhere: whoever wrote every post-mortem must not read of missing ones, nor a company without any tool for them."""
    page = shown(world)
    text = page.section("errors") + page.section("learning") + page.section("targets")
    assert {sentence for sentence in SENTENCES if sentence in text} == said
    assert {name for name in SECTIONS if f'href="#{name}"' in page.page} == {
        name for name in SECTIONS if page.section(name)
    }


@pytest.mark.parametrize("world", ["nothing", "incidents alone"])
def test_where_nothing_is_known_nothing_is_said(world: str) -> None:
    """An empty source is no 0: no chapter, no term, no line, no metric, no file to look into."""
    page = shown(world)
    assert [page.section(name) for name in SECTIONS] == ["", ""] and page.lines == []
    assert [term for term, _ in (*ERRORS, *LEARNING) if f"<dt>{term}</dt>" in page.page] == []
    for name in (
        "mttr_error",
        "mttr_release",
        "mttr_post_mortem",
        "mttr_noise",
        "mttr_detected",
        "mttr_pages",
        "mttr_recurrence",
    ):
        assert name not in page.metrics
    assert "Errors: " not in page.markdown and "Post-mortems" not in page.markdown and "Post-mortem: " not in page.text
    assert numbers(page.documents["errors"]) == {}
    assert learning.numbers(page.documents["learning"], page.documents["summary"]["period"]["start"]) == {}


def test_terms_are_told_once() -> None:
    names = [term for term, _ in (*TERMS, *DELIVERY, *ERRORS, *LEARNING)]
    assert len(names) == len(set(names))
    assert [text for _, text in (*ERRORS, *LEARNING) if text not in shown("everything").text] == []
    assert [text for _, text in LEARNING if text in shown("errors alone").text] == []


# -- errors ------------------------------------------------------------------------------------------------------------


def test_issues_stand_in_the_order_of_the_work() -> None:
    """New first, then the spiking one, then by users; each with its class, what it is evidence of, and a link that is safe."""
    section = shown("everything").section("errors")
    order = ["error new", "error spike", "error old", "error cause", "Payment is <None>", "error again", "error near"]
    places = [section.index(f" {name} ") for name in order]
    assert places == sorted(places)
    assert "7 issues are unresolved: 1 new, 1 back after a resolve, 1 spiking and 4 ongoing." in section
    assert re.search(r"fatal, shop, ongoing: 77 users, first seen 27 Oct 2026 ?\. Linked to an incident\.", section)
    assert re.search(r"first seen 12 Sep 2026 ?\. Nothing handles it\.", section)
    assert section.count("Linked to an incident") == section.count("Nothing handles it") == 1
    assert "2 issues are unresolved: 2 ongoing." in shown("errors alone").section("errors")


def test_fixes_say_whether_they_held() -> None:
    """One that came back is named with the version that should have fixed it; one that held is counted, and no more."""
    section = shown("everything").section("errors")
    assert "3 issues had a fix: 1 held, 1 did not hold and 1 not known." in section
    assert re.search(r"Fixes that did not hold .* Payment is <None> shop 29 Oct 2026 release 2\.2 31 Oct 2026", section)
    calm = shown("in order").section("errors")
    assert "1 issue had a fix: 1 held." in calm and "Fixes that did not hold" not in calm


def test_a_commit_as_version_is_shown_short_and_whole_in_its_title() -> None:
    """Forty digits widen every table. What only looks like a commit is a version, and no version is markup."""
    sha = "0123456789ABCDEFabcd" * 2
    assert version(sha) == f'<bdi title="{sha}">0123456789</bdi>'
    for other in (sha[1:], sha + "0", "g" + sha[1:], "2.4.1"):
        assert version(other) == f"<bdi>{other}</bdi>"
    assert version("<b>") == "<bdi>&lt;b&gt;</bdi>"


def test_a_release_has_a_verdict_only_of_a_test() -> None:
    """Worse and better have a colour; a release with 60 sessions, and a first one, have neither verdict nor colour."""
    page = shown("everything")
    found = {(row["service"], row["version"]): row["verdict"] for row in page.documents["errors"]["releases"]}
    assert found == {
        ("app", "7"): None,
        ("shop", "2.2"): None,
        ("shop", "2.1"): "better",
        ("shop", "2.0"): "worse",
        ("shop", "1.0"): None,
    }
    badges = re.findall(r'<span class="badge([^"]*)">(\w+)</span>', page.html("errors"))
    assert badges == [(" good", "better"), (" bad", "worse")]
    section = page.section("errors")
    assert "not enough sessions" in section and "no release before it" in section
    calm = shown("in order")
    assert re.findall(r'<span class="badge[^"]*">', calm.html("errors")) == ['<span class="badge">'] * 2
    assert "no clear change" in calm.section("errors") and "not enough sessions" not in calm.section("errors")


@pytest.mark.parametrize(
    ("row", "word", "colour"),
    [
        ({"verdict": "worse", "q": 0.049, "version_before": "1"}, "worse", "bad"),
        ({"verdict": "better", "q": 0.049, "version_before": "1"}, "better", "good"),
        ({"verdict": "no clear change", "q": 0.05, "version_before": "1"}, "no clear change", None),
        ({"verdict": None, "q": None, "version_before": "1"}, "not enough sessions", None),
        ({"verdict": None, "q": None, "version_before": None}, "no release before it", None),
    ],
)
def test_the_word_and_colour_of_a_release(row: dict[str, Any], word: str, colour: str | None) -> None:
    assert (verdict(row), rules.health_colour(row)) == (word, colour)


def test_the_chart_of_releases_has_words() -> None:
    label = re.search(r'aria-label="(Chart of the share of sessions[^"]*)"', shown("everything").page)
    assert label is not None and "app 7: 99.000 %, 500 sessions." in label[1] and "shop 2.1: 99.800 %" in label[1]
    assert "2.2" not in label[1]
    assert "Chart of the share of sessions" not in shown("errors alone").page


# -- evidence of the worst incidents -----------------------------------------------------------------------------------


def _breaches(page: str) -> dict[str, str]:
    """Title of each incident in the list of breaches -> its text."""
    found = re.search(r'(?s)<ol class="breaches" id="list-breaches".*?</ol>', page)
    assert found is not None
    items = [tidy(item) for item in re.findall(r"(?s)<li>.*?</li>", found[0])]
    return {each["title"]: item for item in items for each in EVERYTHING.incidents if each["title"] in item}


def test_errors_and_post_mortem_stand_beside_a_breach() -> None:
    """A linked issue is said to be linked, one that is only near in time is said to be that, and nothing is said of a cause."""
    told = _breaches(shown("everything").page)
    assert (
        "Errors: error cause (linked); error near (of this service, near in time). Near in time is no proof."
        in told["Checkout fails"]
    )
    assert "Post-mortem: about checkout, not completed, due 3 Nov 2026." in told["Checkout fails"]
    assert "Post-mortem: about basket, completed 8 Oct 2026, on time." in told["Basket is empty"]
    assert "Post-mortem: none is known, due 29 Sep 2026." in told["Login is slow"]
    assert "Errors: " not in told["Login is slow"] and WEAK not in told["Login is slow"]
    assert "Post-mortem" not in told["Whose is this?"]
    section = shown("everything").section("delivery")
    assert "Errors: error cause (linked)" in section and "Post-mortem: about checkout" in section


def test_a_missing_post_mortem_is_said_only_where_any_is_known() -> None:
    """A company whose post-mortems are in a wiki that nobody reads here must not read that it has none."""
    for world in ("incidents alone", "no post-mortems"):
        page = shown(world)
        assert "Post-mortem: " not in page.text and page.documents["learning"]["overdue"] == []
        assert {row["post_mortem"] for row in page.documents["compliance"]["worst_breaches"]} == {None}


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"state": "completed", "on_time": True, "due_at": DUE, "completed_at": DUE}, "completed 3 Nov 2026, on time"),
        ({"state": "completed", "on_time": False, "due_at": DUE, "completed_at": DUE}, "completed 3 Nov 2026, late"),
        ({"state": "completed", "on_time": None, "due_at": None, "completed_at": DUE}, "completed 3 Nov 2026"),
        ({"state": "missing", "on_time": False, "due_at": DUE, "completed_at": None}, "none is known, due 3 Nov 2026"),
        ({"state": "not due", "on_time": None, "due_at": DUE, "completed_at": None}, "none yet, due 3 Nov 2026"),
        ({"state": "open", "on_time": None, "due_at": None, "completed_at": None}, "not completed"),
        ({"state": "overdue", "on_time": False, "due_at": DUE, "completed_at": None}, "not completed, due 3 Nov 2026"),
    ],
)
def test_the_state_of_a_post_mortem(row: dict[str, Any], text: str) -> None:
    assert post_mortem(row).striptags() == text


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("link", "linked"),
        ("release", "new with the deploy linked to it, near in time"),
        ("service and time", "of this service, near in time"),
    ],
)
def test_what_ties_an_error(method: str, text: str) -> None:
    assert tied({"method": method}) == text


# -- learning ----------------------------------------------------------------------------------------------------------


def test_every_figure_of_learning_stands_beside_its_n() -> None:
    section = shown("everything").section("learning")
    for told in (
        "Post-mortems completed 100 % 20.7 % to 100 % 1 of 1 due",
        "0 % 0 % to 79.3 % 0 of 1 due 50 % 9.5 % to 90.5 % 1 of 2 due",
        "Resolve to post-mortem not enough data 1 post-mortem no data not enough data 1 post-mortem",
        "Open follow-up actions 1 of 2, 0 overdue",
        "Detected by customers 3.2 % 0.6 % to 16.2 % 1 of 31 known none of 12 known",
        "Noise 63.6 % 46.6 % to 77.8 % 21 of 33 incidents",
        "Pages 33 19 at night",
    ):
        assert told in section, told


def test_what_is_overdue_repeats_and_makes_noise_is_named() -> None:
    page = shown("everything")
    section = page.section("learning")
    assert f"1 incident {OVERDUE}" in section
    assert re.search(
        r"Login is slow due 29 Sep 2026 SEV2, login, team blue, resolved 22 Sep 2026: no post-mortem is known\.",
        section,
    )
    assert f"It is known of 31 of 33 incidents {UNKNOWN}" in section
    assert "Disk full shop root cause: disk 29 3 h 52 min 30 Oct 2026" in section
    assert "Disk full on a host custom 21 29 72.4 % 54.3 % to 85.3 % 21 7" in section
    assert "Whose is this? SEV2 service and team open 29 Oct 2026" in section
    calm = shown("in order").section("learning")
    for heading in ("Post-mortems that are due", "What comes back most often", "Noisy alert rules", "On-call load"):
        assert heading in section and heading not in calm


def test_who_was_called_when_is_said_to_be_unknown() -> None:
    """Custom records tell of no notification; else a reader takes the detection for the moment somebody woke up."""
    assert f"For none of 33 pages a source tells when somebody was called. {AT_DETECTION}" in shown(
        "everything"
    ).section("learning")


def test_no_person_is_shown() -> None:
    """Not even where the load of persons is in the table."""
    assert {row["scope"] for row in shown("everything").documents["learning"]["oncall"]} <= {"all", "team", "rota"}


# -- metrics, terminal, Dagster ----------------------------------------------------------------------------------------


def test_metrics_by_the_official_parser() -> None:
    families = {family.name: family for family in text_string_to_metric_families(shown("everything").metrics)}
    found = {
        (name, *sample.labels.values()): sample.value for name, family in families.items() for sample in family.samples
    }
    counted = ("mttr_error_issues", "mttr_error_fixes")
    assert {key: value for key, value in found.items() if key[0] in counted} == {
        ("mttr_error_issues", "new"): 1,
        ("mttr_error_issues", "spike"): 1,
        ("mttr_error_issues", "regression"): 1,
        ("mttr_error_issues", "ongoing"): 4,
        ("mttr_error_fixes", "confirmed"): 1,
        ("mttr_error_fixes", "ineffective"): 1,
        ("mttr_error_fixes", "unknown"): 1,
    }
    assert found["mttr_release_crash_free_ratio", "app"] == 0.99 and found["mttr_release_sessions", "shop"] == 60
    assert (found["mttr_post_mortem_completion_ratio",], found["mttr_post_mortems_due",]) == (0.5, 2)
    began = [datetime.fromisoformat(each["detected_at"]) for each in EVERYTHING.incidents if each.get("team") == "red"]
    recent = [at.hour for at in began if at >= AS_OF - timedelta(days=30)]
    assert (found["mttr_noise_incidents",], found["mttr_pages", "red"]) == (33, len(recent))
    assert found["mttr_night_pages", "red"] == sum(hour >= 22 or hour < 8 for hour in recent) > 0
    assert found["mttr_detected_by_customers_ratio",] * found["mttr_detection_known",] == pytest.approx(1)
    calm = shown("in order").metrics
    assert "mttr_noise" not in calm and "mttr_pages" not in calm


def test_the_terminal_has_one_line_of_each() -> None:
    assert shown("everything").lines == [
        " errors        7 unresolved, of which 1 new and 1 back after a resolve; 1 with a fix that did not hold",
        " post-mortems  1 of 2 that are due are completed, 1 on time",
    ]
    assert shown("in order").lines == [
        " errors        0 unresolved",
        " post-mortems  1 of 1 that are due are completed, 1 on time",
    ]


def test_dagster_shows_lines_and_plots_numbers() -> None:
    """The Markdown is what the asset `report/summary` shows; its numbers are plotted from night to night."""
    page = shown("everything")
    for line in (
        "- Errors: 7 unresolved issues, of which 1 new, 1 back after a resolve, 1 spiking and 4 ongoing",
        "- Fixes of errors, last 90 days: 3 fixes, of which 1 held, 1 did not hold and 1 not known",
        "- Post-mortems completed, whole history: 50 % (95 % limits 9.5 % to 90.5 %, 1 of 2 due)",
        "- Noise, last 30 days: 63.6 % (95 % limits 46.6 % to 77.8 %, 21 of 33 incidents)",
    ):
        assert line in page.markdown
    worse = "Newest releases that crash more than the one before"
    assert worse not in page.markdown and f"{worse}: shop 2.0" in shown("a bad release").markdown
    assert numbers(page.documents["errors"])["error_issues_unresolved"] == 7
    plotted = learning.numbers(page.documents["learning"], page.documents["summary"]["period"]["start"])
    assert {"post_mortems_overdue": 1, "noise_n": 33, "pages": 33, "night_pages": 19}.items() <= plotted.items()


# -- pages of services and teams ---------------------------------------------------------------------------------------


def test_a_service_and_a_team_have_their_own_on_their_pages(tmp_path: Path) -> None:
    """And one without errors or post-mortems has none of another."""
    more = [
        incident(f"x{n}", days=9, minutes=9, severity="SEV3", service=f"service {n}", team=f"team {n}")
        for n in range(22)
    ]
    told = Company([*EVERYTHING.incidents, *more], EVERYTHING.deploys, EVERYTHING.tracked, EVERYTHING.follow_ups)
    with company(tmp_path, told) as warehouse:
        documents = reports.documents(warehouse.con)
        extra = {dimension: reports.member_details(warehouse.con, dimension) for dimension in ("service", "team")}
        pages = dict(reports.pages(documents, extra))
    shop, blue, other = (
        tidy(pages[f"report/{name}.html"]) for name in ("service/shop", "team/blue", "service/" + slug("service 3"))
    )
    assert "Releases of this service, the newest first" in shop and "worse" in shop
    assert "The first unresolved issues of this service, in the order of the table error_issues." in shop
    assert (
        shop.index("error spike") < shop.index("error old")
        and "error near" not in shop.split("The first unresolved")[1]
    )
    assert "Post-mortems that are due" in blue and "Login is slow" in blue and "Login is slow" not in shop
    assert not [word for word in ("Errors", "Post-mortem", "worse") if word in other]


# -- much, and little --------------------------------------------------------------------------------------------------


def _page(**changed: dict[str, Any]) -> str:
    """The text of the page of the first company, with other parts of its documents."""
    documents = shown("everything").documents
    return tidy(reports.render({name: {**told, **changed.get(name, {})} for name, told in documents.items()}))


def test_long_lists_are_cut_and_say_so() -> None:
    """What is left out is said, with where it is; a list that is whole says nothing of that."""
    documents = shown("everything").documents
    tracked, told, compliance = documents["errors"], documents["learning"], documents["compliance"]
    breach = next(row for row in compliance["worst_breaches"] if row["errors"])
    now = documents["summary"]["period"]["start"]
    rota = {**next(row for row in learning.at(told["oncall"], now) if row["scope"] == "team"), "scope": "rota"}
    page = _page(
        errors={
            "issues": tracked["issues"] * 2,
            "unresolved_count": 14,
            "releases": [{**tracked["releases"][0], "service": f"app {n}"} for n in range(22)],
        },
        learning={
            "overdue": told["overdue"] * 11,
            "overdue_count": 11,
            "unowned": told["unowned"] * 11,
            "unowned_count": 11,
            "oncall": [*told["oncall"], {**rota, "scope_value": "Follow the sun"}],
        },
        compliance={"worst_breaches": [{**breach, "errors": {**breach["errors"], "n": 7}}]},
    )
    whole = shown("everything").text
    for sentence in (
        "These 20 are the newest. All of them are in the table release_health.",
        "These 10 come first. All of them are in the table error_issues.",
        "These 10 are the most severe, then the longest overdue. All of them are in the table follow_ups.",
        "11 incidents that are open or began in the last 30 days have no service or no team. All of them are in the table",
        "11 incidents of SEV1 and SEV2 have no completed post-mortem after it was due.",
        "; 7 in all. Near in time is no proof.",
        "Pages by rota, last 30 days",
    ):
        assert sentence in page and sentence not in whole, sentence
    assert "Follow the sun" in page and page.count("Login is slow due 29 Sep 2026") == 10


def test_figures_that_nobody_can_know_have_no_row() -> None:
    """No row of a pager without one; and no 0 for a window that nothing is known of."""
    calm = shown("in order").section("learning")
    for name in ("Pages", "Noise", "Acknowledgement of a page", "Recurrence", "Open follow-up actions", "Test added"):
        assert name not in calm, name
    assert "Acknowledgement of a page" not in shown("everything").section("learning")
    oncall = [
        {**row, "acknowledgment_median_minutes": 4.5, "n_acknowledged": n}
        for row, n in zip(shown("everything").documents["learning"]["oncall"], (5, 4) * 9, strict=False)
    ]
    page = _page(learning={"oncall": oncall})
    assert "Acknowledgement of a page" in page
    assert "4.5 min (5)" in page and "not enough data (4)" in page
