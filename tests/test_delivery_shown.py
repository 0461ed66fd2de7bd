"""What people see of deploys: the section of the page, delivery.json, lists of incidents, metrics, the terminal. Each sentence where
it is true, and not elsewhere; nothing at all where no deploy is known."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from correlation_cases import DAY
from delivery_worlds import DEPLOYS, INCIDENTS, WORLDS, Shown, company, deploy, shown, tidy
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from report_cases import Reader, errors
from support import AS_OF, AS_OF_US, slow

from mttr_pipeline import reports
from mttr_pipeline.reports import delivery
from mttr_pipeline.reports.page import deploys
from mttr_pipeline.reports.page.terms import DELIVERY, TERMS

NO_PROOF = "A deploy shortly before an incident is no proof that it caused it."
NO_DEPLOY = "No deploy of this service is known within 1 h before the impact."
NO_PRODUCTION = "No deploy to production is known."
NONE_RAN = "No deploy to production is known to have run: each failed, was cancelled, or nothing says when it was over."
NO_TEST = "The periods are not compared by a test, so a difference between them may be chance."
SENTENCES = (NO_PROOF, NO_PRODUCTION, NONE_RAN, NO_TEST, "that no map contains do not count as production")


@pytest.mark.parametrize(
    ("world", "said"),
    [
        ("delivery", {NO_PROOF, NO_TEST}),
        ("none to production", {NO_PRODUCTION, "that no map contains do not count as production"}),
        *slow(
            ("none ran", {NONE_RAN}),
            ("not linked", {NO_TEST}),
            ("after all incidents", {NO_TEST}),
            ("only by time", {NO_PROOF, NO_TEST}),
            ("only named", {NO_TEST}),
        ),
    ],
)
def test_each_sentence_is_said_where_it_is_true(world: str, said: set[str]) -> None:
    """And not elsewhere: a warning about links by time where there is none is as wrong as its absence."""
    assert {sentence for sentence in SENTENCES if sentence in shown(world).section} == said


def test_incidents_are_linked_by_a_method_that_is_told() -> None:
    """Whoever reads a share must know how much of it is a guess by time."""
    assert (
        "8 of 10 incidents in the last 30 days are linked to a deploy (80 %): 1 because somebody or a tool names it, 7 because it "
        "is the latest of the service within 1 h before the impact." in shown("delivery").section
    )
    none = shown("not linked").section
    assert re.search(r"0 of \d+ incidents in the last 30 days are linked to a deploy\. ", none)
    assert "because somebody" not in none and "What changed before the worst incidents" not in none
    late = shown("after all incidents").section
    assert "No incident of the last 30 days began after the first known deploy to production." in late
    assert "No incident of the last 30 days began" not in none and "linked to a deploy" not in late


def test_half_of_them_are_detected_within_the_median_of_enough() -> None:
    """A median of one pair is that pair."""
    told = re.search(
        r"Half of these were detected within (.*?) after their deploy \(n = (\d+)\)", shown("delivery").section
    )
    assert told is not None and (told[1], told[2]) == ("20 min", "8")
    assert "Half of these" not in shown("only named").section


def test_without_a_deploy_nothing_is_said() -> None:
    """A company that deploys elsewhere must not read about an empty chapter."""
    company = shown("no deploys")
    assert company.section == "" and 'href="#delivery"' not in company.page
    assert not [term for term, _ in DELIVERY if term in company.text]
    assert NO_DEPLOY not in company.text and "Deploy: " not in company.text
    assert company.lines == [] and "deploy" not in company.markdown and "deploy" not in company.metrics
    found = company.documents["delivery"]
    assert [found[name] for name in ("figures", "weeks", "environments", "worst_incidents")] == [[], [], [], []]
    assert not [row for row in company.documents["data_quality"]["findings"] if "deploy" in row["meaning"]]


def test_the_figures_have_the_names_of_dora_and_their_definitions() -> None:
    page = shown("delivery")
    assert [name for name in deploys.NAMES.values() if name not in page.section] == []
    assert [term for term, _ in DELIVERY] == list(deploys.NAMES.values())
    assert [text for _, text in DELIVERY if text not in page.text] == []
    assert not {term for term, _ in DELIVERY} & {term for term, _ in TERMS}
    assert [text for _, text in DELIVERY if text in shown("none to production").text] == []
    assert not re.search(r"(?i)\belite\b|\bperformer", page.section)


def test_environments_that_are_not_production_are_named_with_their_setting() -> None:
    """Else a company whose production is called prod-eu waits for figures for ever."""
    text = shown("none to production").section
    assert "The deploys that are known: 2 to prod-eu, 1 to staging and 1 without an environment." in text
    assert "Environments of custom that no map contains do not count as production: prod-eu. Map" in text
    assert "Map them in [sources.custom.environment]" in text
    assert "Map them" not in shown("none ran").section


def test_the_setting_that_the_page_names_makes_it_production(tmp_path: Any) -> None:
    file = {"sources": {"custom": {"environment": {"prod-eu": "production", "staging": "other"}}}}
    with company(tmp_path, deploys=WORLDS["none to production"], configured=file) as warehouse:
        page = tidy(reports.render(reports.documents(warehouse.con)))
        rows = warehouse.con.execute(
            "SELECT environment, is_production, is_mapped, setting, deploys FROM mart.deploy_environments"
        ).fetchall()
    assert NO_PRODUCTION not in page and NO_TEST in page and "that no map contains do not" not in page
    assert {row[:4] for row in rows} == {
        ("prod-eu", True, True, "sources.custom.environment: prod-eu"),
        ("staging", False, True, "sources.custom.environment: staging"),
        (None, False, False, None),
    }
    assert [row[4] for row in rows] == [2, 1, 1]


# -- what changed before an incident -----------------------------------------------------------------------------------


def _breaches(company: Shown) -> dict[str, str]:
    """Title of each incident in the list of breaches -> its text."""
    found = re.search(r'(?s)<ol class="breaches" id="list-breaches".*?</ol>', company.page)
    assert found is not None
    items = [tidy(item) for item in re.findall(r"(?s)<li>.*?</li>", found[0])]
    return {
        title: item
        for item in items
        for title in (each["title"] for each in INCIDENTS if "title" in each)
        if title in item
    }


def test_what_changed_before_a_breach_stands_beside_it() -> None:
    """The deploy, where it can be opened, how long before, and how sure the link is."""
    told = _breaches(shown("delivery"))
    assert "Deploy: shop 3.0 (a1b2c3d), 12 min before, linked by time" in told["Checkout fails"]
    assert "Deploy: shop basket, 3 h before, named as the cause" in told["Basket is empty"]
    assert 'href="https://ci.test/3"' in shown("delivery").page


def test_no_deploy_is_said_only_where_none_can_be_overlooked() -> None:
    """Of a service without any known deploy nobody knows; and a finish that is known only as a commit may lie anywhere after it."""
    told = _breaches(shown("delivery"))
    assert {title for title, text in told.items() if NO_DEPLOY in text} == {"Certificate expired"}
    for world in ("not exact", "rolled back before", "no deploys", "none to production"):
        assert NO_DEPLOY not in shown(world).text, world


def test_the_worst_incidents_are_the_most_severe_then_the_longest() -> None:
    found = shown("delivery").documents["delivery"]["worst_incidents"]
    assert [row["title"] for row in found][:2] == ["Basket is empty", "Checkout fails"]
    order = [(row["severity"], -(row["resolve_minutes"] or 0)) for row in found]
    assert order == sorted(order) and len(found) == 8 and all(row["deploys"] for row in found)
    assert "What changed before the worst incidents" in shown("delivery").section


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ({"minutes_before": 12.0, "method": "window"}, "12 min before, linked by time"),
        ({"minutes_before": -3.0, "method": "explicit"}, "3.0 min after the impact began, named as the cause"),
        ({"minutes_before": None, "method": "explicit"}, "named as the cause"),
    ],
)
def test_when_a_deploy_was_over(link: dict[str, Any], text: str) -> None:
    """One that is named may be over after the begin of the impact, or at an unknown time."""
    assert deploys.introduced(link).striptags() == text


@pytest.mark.parametrize(
    ("version", "sha", "name"),
    [
        ("1.4", "a1b2c3d4e5", "1.4 (a1b2c3d)"),
        (None, "a1b2c3d4e5", "a1b2c3d"),
        ("a1b2c3d4e5", "a1b2c3d4e5", "a1b2c3d4e5"),
        ("1.4", None, "1.4"),
        (None, None, "id"),
    ],
)
def test_a_deploy_is_named_by_what_it_brought_out(version: str | None, sha: str | None, name: str) -> None:
    assert deploys.name_of({"version": version, "sha": sha, "external_id": "id"}) == name


# -- figures -----------------------------------------------------------------------------------------------------------


def _row(**changed: dict[str, Any]) -> dict[str, Any]:
    """The figures of a member without any deploy in a window, with what is told."""
    nothing = {"pct": None, "low_pct": None, "high_pct": None, "n": 0}
    row: dict[str, Any] = {
        "deployment_frequency": {"deploys_per_day": None, "n": 0},
        "change_lead_time": {"median_minutes": None, "n": 0},
        "change_fail_rate": {**nothing, "failed_deploys": 0},
        "failed_deployment_recovery_time": {
            "median_minutes": None,
            "median_low": None,
            "median_high": None,
            "text": None,
            "n_recovered": 0,
            "n_open": 0,
        },
        "deployment_rework_rate": {**nothing, "rework_deploys": None},
    }
    return {name: {**told, **changed.get(name, {})} for name, told in row.items()}


def test_no_data_is_said_and_never_a_zero() -> None:
    row = _row()
    assert {deploys.figure(row, name).striptags() for name in deploys.NAMES} == {"no data"}
    assert {deploys.figure_limits(row, name) for name in deploys.NAMES} == {""}


@pytest.mark.parametrize(
    ("name", "told", "shown_as"),
    [
        ("deployment_frequency", {"deploys_per_day": 0.0, "n": 0}, "0 a day"),
        ("deployment_frequency", {"deploys_per_day": 0.001, "n": 1}, "below 0.01 a day"),
        ("deployment_frequency", {"deploys_per_day": 0.0667, "n": 2}, "0.07 a day"),
        ("deployment_frequency", {"deploys_per_day": 1234.5, "n": 2}, "1,234.5 a day"),
        ("change_lead_time", {"median_minutes": 30.0, "n": 4}, "not enough data"),
        ("change_lead_time", {"median_minutes": 30.0, "n": 5}, "30 min"),
        ("change_fail_rate", {"pct": 0.0, "n": 9}, "0 %"),
        ("failed_deployment_recovery_time", {"median_minutes": 30.0, "n_recovered": 4}, "not enough data"),
        ("failed_deployment_recovery_time", {"median_minutes": 30.0, "n_recovered": 5}, "30 min"),
        ("failed_deployment_recovery_time", {"n_recovered": 5, "n_open": 6}, "not reached"),
        ("failed_deployment_recovery_time", {"n_open": 2}, "not enough data"),
    ],
)
def test_a_figure_is_shown_where_it_says_something(name: str, told: dict[str, Any], shown_as: str) -> None:
    """A median of four deploys is not typical of anything; a measured zero is one."""
    assert deploys.figure(_row(**{name: told}), name).striptags() == shown_as


@pytest.mark.parametrize(
    ("low", "high", "limits"),
    [
        (1.0, 90.0, "1.0 min to 1 h 30 min"),
        (1.0, None, "from 1.0 min"),
        (None, 5.0, "up to 5.0 min"),
        (None, None, "none"),
    ],
)
def test_limits_of_a_recovery_time_as_far_as_they_exist(low: float | None, high: float | None, limits: str) -> None:
    name = "failed_deployment_recovery_time"
    row = _row(**{name: {"median_minutes": 5.0, "median_low": low, "median_high": high, "n_recovered": 5}})
    assert deploys.figure_limits(row, name).striptags() == limits


def test_every_figure_stands_beside_its_n() -> None:
    section = shown("delivery").section
    figures = delivery.recent(shown("delivery").documents["delivery"]["figures"])
    (row,) = (each for each in figures if each["scope"] == "all")
    assert f"{row['change_fail_rate']['failed_deploys']} of {row['change_fail_rate']['n']} deploys" in section
    recovery = row["failed_deployment_recovery_time"]
    assert f"{recovery['n_recovered']} recovered, {recovery['n_open']} open" in section


def test_members_with_a_deploy_are_listed_and_the_others_counted(tmp_path: Any) -> None:
    """Rows of nothing bury those who look for something."""
    given = [
        *DEPLOYS,
        deploy("old", days=45, service="billing"),
        deploy("s", days=1, service="search", environment="staging"),
    ]
    with company(tmp_path, deploys=given) as warehouse:
        page = reports.render(reports.documents(warehouse.con))
    table = Reader(page[page.index('id="delivery-by-service"') : page.index("Delivery by team")]).text
    assert "shop 29 " in table and "billing" not in table and "search" not in table
    assert "2 other services had no deploy to production in the last 30 days and are not listed." in table
    assert "had no deploy to production" not in shown("delivery").section
    assert "No deploy to production in the last 30 days." not in shown("delivery").section


def test_a_month_without_a_deploy_says_so(tmp_path: Any) -> None:
    with company(tmp_path, deploys=[deploy("old", days=45)]) as warehouse:
        text = tidy(reports.render(reports.documents(warehouse.con)))
    assert "No deploy to production in the last 30 days." in text


def test_the_weeks_of_the_chart_are_those_of_known_deploys() -> None:
    """Against counting by hand; weeks before the first known deploy have no 0, and the chart has words and a table."""
    told = shown("delivery").documents["delivery"]["weeks"]
    ran = [each for each in DEPLOYS if each.environment == "production" and each.finished_at is not None]
    mondays = Counter[str]()
    for each in ran:
        day = AS_OF + timedelta(microseconds=(each.finished_at or 0) - AS_OF_US)
        mondays[f"{day - timedelta(days=day.weekday()):%Y-%m-%d}"] += 1
    assert {row["window_start"][:10]: row["deploys"] for row in told} == mondays
    assert sum(row["failed_deploys"] for row in told) == 8
    assert [row["is_partial"] for row in told] == [True, *[False] * (len(told) - 2), True]
    assert (
        f"Chart of {len(told)} weeks with {len(ran)} deploys to production, 8 of them failed." in shown("delivery").page
    )
    assert datetime.fromisoformat(told[0]["window_start"]) <= AS_OF - timedelta(microseconds=40 * DAY)


# -- documents, metrics, terminal, Dagster -----------------------------------------------------------------------------


def _numbers(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return [value for each in node.values() for value in _numbers(each)]
    if isinstance(node, list):
        return [value for each in node for value in _numbers(each)]
    return [node] if isinstance(node, int | float) and not isinstance(node, bool) else []


@pytest.mark.parametrize("world", WORLDS)
def test_delivery_json_is_valid_and_of_the_tables(world: str) -> None:
    """Also where almost nothing is known. A reader can look up every number in a published table."""
    found = shown(world).documents["delivery"]
    assert errors("delivery", found) == []
    assert errors("compliance", shown(world).documents["compliance"]) == []
    content = {name: value for name, value in found.items() if name not in ("schema_version", "window_minutes")}
    assert [value for value in _numbers(content) if repr(value) not in shown(world).numbers] == []


def test_every_figure_on_the_page_is_in_a_document() -> None:
    """The page computes nothing."""
    company = shown("delivery")
    known = {repr(value) for value in _numbers(company.documents)}
    section = re.search(r'(?s)<section aria-labelledby="delivery">.*?</section>', company.page)
    values = re.findall(r'<data value="([^"]*)">', section[0]) if section else []
    assert len(values) > 80
    assert [value for value in values if value not in known] == []


def test_metrics_have_the_five_figures_by_the_official_parser() -> None:
    families = {family.name: family for family in text_string_to_metric_families(shown("delivery").metrics)}
    found = {name: family.samples[0].value for name, family in families.items() if family.samples}
    figures = delivery.recent(shown("delivery").documents["delivery"]["figures"])
    (row,) = (each for each in figures if each["scope"] == "all")
    assert found["mttr_deploys"] == row["deployment_frequency"]["n"]
    assert found["mttr_deployment_frequency_per_day"] == row["deployment_frequency"]["deploys_per_day"]
    assert found["mttr_change_lead_time_seconds"] == row["change_lead_time"]["median_minutes"] * 60
    assert found["mttr_change_fail_ratio"] == row["change_fail_rate"]["pct"] / 100
    recovery = row["failed_deployment_recovery_time"]
    assert found["mttr_failed_deployment_recovery_seconds"] == recovery["median_minutes"] * 60
    assert (found["mttr_deploys_recovered"], found["mttr_deploys_recovery_open"]) == (recovery["n_recovered"], 0)
    assert found["mttr_deployment_rework_ratio"] == row["deployment_rework_rate"]["pct"] / 100
    assert "mttr_change_fail_ratio" not in shown("none to production").metrics


def test_the_terminal_has_one_line() -> None:
    assert shown("delivery").lines == [
        " deploys       last 30 days: 29 to production, of which 8 introduced an incident or were rolled back; 8 of 10 incidents "
        "linked to a deploy, 1 of them because it is named"
    ]
    assert shown("none to production").lines == [" deploys       last 30 days: 0 to production"]


def test_dagster_shows_the_figures_and_a_chart() -> None:
    """The Markdown is what the asset `report/summary` shows; its numbers are plotted from night to night."""
    text = shown("delivery").markdown
    assert [name for name in deploys.NAMES.values() if f"- {name}, last 30 days: " not in text] == []
    assert "- Change fail rate, last 30 days: 27.6 % (95 % limits 14.7 % to 45.7 %, 8 of 29 deploys)" in text
    assert "![deploys to production by week, last 90 days](data:image/png;base64," in text
    assert "Deployment frequency" not in shown("none to production").markdown
    (row,) = (r for r in delivery.recent(shown("delivery").documents["delivery"]["figures"]) if r["scope"] == "all")
    assert {"deploys": 29, "failed_deploys": 8, "incidents_linked_to_a_deploy": 8}.items() <= delivery.numbers(
        row
    ).items()


# -- pages of services and teams ---------------------------------------------------------------------------------------


def test_a_service_has_its_own_figures_on_its_page(tmp_path: Any) -> None:
    """And one without a deploy has none of another."""
    more = [{**INCIDENTS[0], "external_id": f"x{n}", "service": f"service {n}", "team": "red"} for n in range(22)]
    with company(tmp_path, incidents=[*INCIDENTS, *more]) as warehouse:
        documents = reports.documents(warehouse.con)
        extra = {dimension: reports.member_details(warehouse.con, dimension) for dimension in ("service", "team")}
        pages = dict(reports.pages(documents, extra))
    shop = pages["report/service/shop.html"]
    assert "Delivery figures of this service, with 95 % limits and n" in shop
    assert "8 of 29 deploys" in Reader(shop).text
    assert "12 min before, linked by time" in tidy(shop) and NO_DEPLOY in tidy(shop)
    other = next(text for path, text in pages.items() if "service/search" in path)
    assert "Delivery" not in Reader(other).text and NO_DEPLOY not in tidy(other)
