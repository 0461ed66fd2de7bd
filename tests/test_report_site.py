"""The pages beside the main one, and the links between them: one for each service where there are many, safe names, nothing
that leads nowhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_cases import MANY_SERVICES, Reader, published_twice, rendered
from support import examples

from mttr_pipeline import reports
from mttr_pipeline.reports.page import files
from mttr_pipeline.reports.page.names import slugs_of, with_pages
from mttr_pipeline.warehouse.catalog import default_catalog


@pytest.fixture(scope="module")
def generations() -> tuple[Path, Path]:
    """A company with many services and few teams, published twice."""
    return published_twice()


@pytest.fixture(scope="module")
def generation(generations: tuple[Path, Path]) -> Path:
    return generations[0]


def pages(generation: Path) -> dict[str, str]:
    return {
        path.relative_to(generation).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(generation.rglob("*.html"))
    }


def test_each_of_many_services_has_a_page(generation: Path) -> None:
    """More than twenty: a table of them all is where nobody finds his own. The two teams stand on the main page well enough."""
    found = pages(generation)
    assert {name for name in found if "service/" not in name} == {"report.html", "report/services.html"}
    titles = [
        re.search(r'<h1 class="name">Service <bdi>(.*?)</bdi>', text)
        for name, text in found.items()
        if "service/" in name
    ]
    assert len(titles) == len(MANY_SERVICES) == 25
    assert {"Shop!", "shop", "(SHOP)", "../../etc/passwd"} <= {match[1] for match in titles if match}
    assert found.keys() <= json.loads((generation / "manifest.json").read_text())["files"].keys()


def test_no_link_leads_nowhere(generation: Path) -> None:
    """From every page to every other page, to tables, documents and places within a page."""
    found = pages(generation)
    ids = {name: {each["id"] for _, each in Reader(text).tags if each.get("id")} for name, text in found.items()}
    followed = set()
    for name, text in found.items():
        for link in {each["href"] or "" for each in Reader(text).all("a")}:
            path, _, fragment = link.partition("#")
            target = (
                (generation / name).parent.joinpath(unquote(path)).resolve() if path else generation.resolve() / name
            )
            assert target.is_file(), (name, link)
            there = target.relative_to(generation.resolve()).as_posix()
            assert not fragment or fragment in ids[there], (name, link)
            followed.add((name, there))
    main, services = "report.html", "report/services.html"
    members = [name for name in found if "service/" in name]
    assert {(main, services), (services, main), *((each, main) for each in members)} <= followed
    assert {(services, each) for each in members} <= followed
    assert {there for name, there in followed if name == main and "service/" in there}
    assert {"parquet/target_breaches.parquet", "mttr.duckdb", "json/compliance.json"} <= {
        there for _, there in followed
    }


def test_pages_of_the_same_tables_are_the_same_bytes(generations: tuple[Path, Path]) -> None:
    first, second = map(pages, generations)
    assert first == second
    assert "run-a" not in "".join(first.values())


def test_members_without_an_incident_are_counted_not_listed(generation: Path) -> None:
    """Rows of nothing bury those who look for something. A service with one is on the page, and nobody else is counted."""
    text = pages(generation)["report.html"]
    idle = [name for place, name in enumerate(MANY_SERVICES) if place % 4 == 3]
    table = Reader(text[text.index('id="by-service"') : text.index("By team")]).text
    assert f"{len(idle)} other services had no incident in the last 30 days and are not listed." in table
    listed = {name for name in MANY_SERVICES if f"{name} " in table}
    assert "service 0" in listed or "service 1" in listed
    assert not listed & set(idle) - {"sh\u00f6p"}
    assert "had no incident in" not in Reader(rendered("one")[1]).text


def test_every_figure_of_a_member_is_in_a_table(generation: Path) -> None:
    """The pages compute nothing: a figure of their own could differ from the tables."""
    import duckdb

    known: set[str] = set()
    with duckdb.connect(str(generation / "mttr.duckdb"), read_only=True) as con:
        for table in ("mttr_stats", "changes", "frequency", "target_compliance", "target_breaches", "downtime"):
            known |= {repr(value) for row in con.execute(f"FROM {table}").fetchall() for value in row}
        known |= {
            repr(n)
            for condition in ("is_open", "started_at >= (SELECT min(window_start) FROM target_compliance)")
            for (n,) in con.execute(
                f"SELECT count(*) FROM target_breaches WHERE {condition} GROUP BY service"
            ).fetchall()
        }
    shown = [
        value
        for name, text in pages(generation).items()
        if "service/" in name
        for value in re.findall(r'<data value="([^"]*)">', text)
    ]
    assert len(shown) > 500
    assert [value for value in shown if value not in known] == []


def test_a_member_page_shows_what_is_its_own(generation: Path) -> None:
    """Of Shop! the worst ten of all its breaches, and of shop none of them."""
    by_title = {
        match[1]: text
        for text in pages(generation).values()
        if (match := re.search(r'<h1 class="name">Service <bdi>(.*?)</bdi>', text))
    }
    shop, other = Reader(by_title["Shop!"]).text, Reader(by_title["shop"]).text
    assert "12 incidents missed their target. These 10 exceeded it by the most time." in shop
    assert shop.count("times the target of") == 10
    assert "No incident of the last 90 days missed its target." in other
    assert "team 0" in shop and "No open incident is past its target." in shop


def test_up_to_twenty_members_have_no_pages() -> None:
    """There the main page is enough, and nothing links to a page that does not exist."""
    documents, page, _ = rendered("odd")
    assert list(reports.pages(documents, {"service": {}, "team": {}})) == []
    assert not [each["href"] for each in Reader(page).all("a") if (each["href"] or "").startswith("report/")]


def test_a_red_light_comes_first_on_every_page(generation: Path) -> None:
    """A page that is mailed alone must say it too; without a red light none of them does."""
    documents = reports.read(generation)
    for light in ("red", "green"):
        documents["summary"]["traffic_light"]["light"] = light
        for name, page in reports.pages(documents, {"service": {}, "team": {}}):
            text = Reader(page[page.index("<main") :]).text
            assert text.startswith("Do not rely on these figures yet") == (light == "red"), name


@examples(300)
@given(st.lists(st.text() | st.from_regex(r"[a-zA-Z0-9/.\\-]{0,9}", fullmatch=True), unique=True, max_size=9))
def test_file_names_are_safe_and_distinct(names: list[str]) -> None:
    """On every file system: of small letters, digits and hyphens, no two alike, none reserved, none too long."""
    found = slugs_of(names)
    assert found.keys() == set(names)
    assert len(set(found.values())) == len(names)
    for text in found.values():
        assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,78})", text), text
        assert text not in {"con", "nul", "aux", "prn", "com1", "lpt9"}
    assert slugs_of(reversed(names)) == found


def test_a_name_that_is_the_hash_of_another() -> None:
    """Whoever names a service like the file of another one gets a file of his own, and takes nobody else's."""
    taken = slugs_of(["Shop"])["Shop"]
    found = slugs_of(["Shop", taken])
    assert found[taken] == taken and found["Shop"] != taken and found["Shop"].startswith("shop-")


def test_pages_are_bounded(generation: Path) -> None:
    """The ones with the most incidents have a page; the list says how many of all that is."""
    found = with_pages(reports.read(generation)["comparisons"], most=3)
    assert len(found["service"]) == 3 and "Shop!" in found["service"]
    assert found["team"] == {}


def test_tables_that_are_named_are_links() -> None:
    """What a finding says to look at is one click away; other words with underscores stay words."""
    html = files.linked("records that could not be read; see the table quarantine, <b> and source_runs of api_key")
    assert [each["href"] for each in Reader(html).all("a")] == [
        "parquet/quarantine.parquet",
        "parquet/source_runs.parquet",
    ]
    assert (
        Reader(html).text.replace(" ,", ",")
        == "records that could not be read; see the table quarantine, <b> and source_runs of api_key"
    )
    assert {model.name for model in default_catalog().published} >= files.TABLES
    assert {each.document for each in files.SECTIONS.values() if each.document} <= reports.DOCUMENTS.keys()
