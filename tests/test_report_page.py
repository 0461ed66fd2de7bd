"""The page in a real browser: on a desktop, on a phone, in dark mode, on paper, with a keyboard and for a screen reader."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from chromium import EXECUTABLE, Chromium, Page
from delivery_worlds import shown
from learned_worlds import shown as learned
from pypdf import PdfReader
from report_cases import HISTORIES, published_twice, rendered
from support import slow
from support_e2e import finished_run, latest

pytestmark = pytest.mark.skipif(
    EXECUTABLE is None, reason="there is no Chromium on this machine; install the package chromium to run these tests"
)
DESK, PHONE = 1280, 360
LONG = 200_000  # bytes of a page
AXE = Path(str(files("axe_core_python"))) / "axe.min.js"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of the demo company, of no incidents, and of records with odd text; and of a company with many services its
    page, the list of them, and one of theirs; and of one with deploys, and of one
    with errors and post-mortems."""
    folder = tmp_path_factory.mktemp("pages")
    generation, _ = published_twice()
    found = {
        "demo": latest(finished_run()) / "report.html",
        "many": generation / "report.html",
        "list": generation / "report/services.html",
        "member": generation / "report/service/shop.html",
    }
    for name in ("nothing", "odd", "thin"):
        assert name in HISTORIES
        found[name] = folder / f"{name}.html"
        found[name].write_text(rendered(name)[1], encoding="utf-8")
    found["delivery"] = folder / "delivery.html"
    found["delivery"].write_text(shown("delivery").page, encoding="utf-8")
    found["learned"] = folder / "learned.html"
    found["learned"].write_text(learned("everything").page, encoding="utf-8")
    return found


@pytest.fixture(params=["demo", "nothing", "odd", "thin", "many", "list", "member", "delivery", "learned"])
def file(request: pytest.FixtureRequest, pages: dict[str, Path]) -> Path:
    return pages[request.param]


def test_nothing_overflows_nothing_is_loaded_nothing_is_wrong(browser: Chromium, file: Path, tmp_path: Path) -> None:
    with browser.page(file) as page:
        # also with every detail open: a wide table scrolls within itself
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        for width, dark in product((DESK, 768, PHONE), (False, True)):
            page.show(width, dark=dark)
            assert page.evaluate("innerWidth") == width
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (width, dark)
        assert page.screenshot(tmp_path / "page.png").stat().st_size > 10_000
        assert page.requests() == []
        assert page.complaints() == []


def test_dark_is_dark_and_charts_follow(browser: Chromium, pages: dict[str, Path]) -> None:
    lightness = {}
    for dark in (False, True):
        with browser.page(pages["demo"], dark=dark) as page:
            lightness[dark] = [
                sum(page.evaluate(f"{script}.match(/\\d+/g).slice(0, 3).map(Number)"))
                for script in (
                    "getComputedStyle(document.body).backgroundColor",
                    "getComputedStyle(document.querySelector('svg.wide text')).fill",
                )
            ]
    assert lightness[False][0] > 700 > 300 > lightness[False][1]
    assert lightness[True][0] < 100 < 500 < lightness[True][1]


def test_a_phone_gets_charts_drawn_for_it(browser: Chromium, pages: dict[str, Path]) -> None:
    shown = "[...document.querySelectorAll('svg')].filter(each => each.checkVisibility())"
    for width, kind in ((DESK, "wide"), (PHONE, "narrow")):
        with browser.page(pages["demo"], width) as page:
            assert set(page.evaluate(f"{shown}.map(each => each.getAttribute('class'))")) == {kind}
            smallest = page.evaluate(
                f"Math.min(...{shown}.flatMap(each => [...each.querySelectorAll('text')])"
                ".filter(each => each.textContent).map(each => each.getBoundingClientRect().height))"
            )
            assert smallest >= 10, f"words in charts are {smallest} pixels high"


def test_it_prints(browser: Chromium, pages: dict[str, Path], tmp_path: Path) -> None:
    """On white, and with everything that is folded away on the screen: nobody can open it on paper."""
    with browser.page(pages["demo"], dark=True) as page:
        closed = page.evaluate("document.querySelectorAll('details:not([open])').length")
        # The words of the folded texts, as far as no letter is drawn in another way.
        folded = page.evaluate("[...document.querySelectorAll('details p, details td')].map(each => each.textContent)")
        printed = page.pdf(tmp_path / "page.pdf")
        page.call("Emulation.setEmulatedMedia", media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("document.querySelector('nav').checkVisibility()") is False
        assert page.evaluate("document.querySelector('#search').checkVisibility()") is False
    paper = PdfReader(printed)
    text = "".join("".join(each.extract_text() for each in paper.pages).split())
    missing = [words for words in folded if "".join(words.split()) not in text]
    assert closed > 5
    assert len(folded) > 100
    assert len(missing) < len(folded) / 20, missing  # a cell that is broken over two pages
    assert 1 <= len(paper.pages) <= 34


def test_paper_has_everything_that_a_search_hides(browser: Chromium, pages: dict[str, Path], tmp_path: Path) -> None:
    """A filtered print would look like a whole one."""
    with browser.page(pages["many"]) as page:
        search(page, "service 13")
        assert page.evaluate(f"{SHOWN}.length") == 1
        text = " ".join(each.extract_text() for each in PdfReader(page.pdf(tmp_path / "page.pdf")).pages)
    assert "service 11" in text and "service 13" in text


SHOWN = "[...document.querySelectorAll('#by-service tbody tr')].filter(each => each.checkVisibility())"


def search(page: Page, text: str) -> str:
    """Type it into the search box as a reader does; what the page then says."""
    page.evaluate("document.getElementById('wanted').select()")
    page.call("Input.insertText", text=text)
    return page.evaluate("document.querySelector('#search output').textContent")


def test_search_shows_what_matches_and_where(browser: Chromium, pages: dict[str, Path]) -> None:
    """In a table that is folded away, too; an empty box shows everything as it was."""
    with browser.page(pages["many"]) as page:
        rows = page.evaluate("document.querySelectorAll('#by-service tbody tr').length")
        assert page.evaluate(f"{SHOWN}.length") == 0  # folded away
        said = search(page, " SHOP ")
        assert "10 in worst breaches" in said and "in services" in said
        assert 1 <= page.evaluate(f"{SHOWN}.length") < rows
        assert page.evaluate(f"{SHOWN}.every(each => each.textContent.toLowerCase().includes('shop'))")
        links = page.evaluate(
            "[...document.querySelectorAll('#search output a')].map(each => each.getAttribute('href'))"
        )
        assert "#by-service" in links
        assert all(page.evaluate(f"document.querySelector('{link}').checkVisibility()") for link in links)
        assert search(page, "no such thing") == "Nothing found."
        page.evaluate("document.getElementById('wanted').select()")
        page.press("Delete")
        assert page.evaluate("document.querySelector('#search output').textContent") == ""
        assert page.evaluate("document.querySelectorAll('.filtered').length") == 0
        assert page.evaluate(f"{SHOWN}.length") == 0  # folded away again
        assert page.requests() == page.complaints() == []


def test_tables_sort_by_exact_values_with_the_keyboard(browser: Chromium, pages: dict[str, Path]) -> None:
    """Durations by their minutes and not by their text; no data stays last, whichever way; a screen reader is told."""
    head = "document.querySelector('#by-service thead th:nth-child(2)')"
    values = (
        "[...document.querySelectorAll('#by-service tbody tr')].map(row => row.cells[1].colSpan > 1 ? null : "
        "Number(row.cells[1].querySelector('data').value))"
    )
    with browser.page(pages["many"]) as page:
        page.evaluate("document.querySelector('#by-service').closest('details').open = true")
        before = page.evaluate(values)
        page.evaluate(f"{head}.querySelector('button').focus()")
        sorted_values = {}
        for order in ("ascending", "descending"):
            page.press("Enter")
            assert page.evaluate(f"{head}.getAttribute('aria-sort')") == order
            assert page.evaluate("document.querySelectorAll('#by-service [aria-sort]').length") == 1
            sorted_values[order] = page.evaluate(values)
    known, unknown = [value for value in before if value is not None], [value for value in before if value is None]
    assert len(set(known)) > 3 and unknown
    assert sorted_values["ascending"] == sorted(known) + unknown
    assert sorted_values["descending"] == sorted(known, reverse=True) + unknown


def test_without_script_the_page_is_complete(browser: Chromium, file: Path) -> None:
    """Mail programs and careful browsers run none: every word is there, and no button or box that does nothing."""
    with browser.page(file) as page:
        words = page.evaluate("document.querySelector('main').textContent")
    with browser.page(file, script=False) as page:
        assert page.evaluate("document.querySelector('main').textContent") == words
        assert page.evaluate("document.querySelectorAll('button').length") == 0
        assert page.evaluate("[...document.querySelectorAll('input')].every(each => !each.checkVisibility())")


def test_headings_and_landmarks(browser: Chromium, file: Path) -> None:
    with browser.page(file) as page:
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(each => Number(each.tagName[1]))")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        roles = [node["role"]["value"] for node in accessible(page)]
        assert roles.count("main") == roles.count("banner") == roles.count("contentinfo") == 1
        assert "navigation" in roles
        assert page.evaluate("document.documentElement.lang") == "en"
        broken = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(each => !document.getElementById(each.hash.slice(1)))"
        assert page.evaluate(f"{broken}.length") == 0
        assert page.evaluate(
            "new Set([...document.querySelectorAll('[id]')].map(each => each.id)).size"
        ) == page.evaluate("document.querySelectorAll('[id]').length")


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_every_chart_has_words_and_a_table(browser: Chromium, pages: dict[str, Path], width: int) -> None:
    with browser.page(pages["demo"], width) as page:
        pictures = [node["name"]["value"] for node in accessible(page) if node["role"]["value"] in ("image", "img")]
        figures = page.evaluate("document.querySelectorAll('figure').length")
        assert len(pictures) == figures >= 3
        assert all(len(words) > 30 for words in pictures)
        assert page.evaluate(
            "[...document.querySelectorAll('figure')].every(each => each.nextElementSibling.tagName == 'DETAILS' "
            "&& each.nextElementSibling.querySelector('table caption'))"
        )
        assert page.evaluate(
            "[...document.querySelectorAll('table')].every(each => each.querySelector('thead th[scope=col]'))"
        )


def test_the_keyboard_reaches_everything(browser: Chromium, pages: dict[str, Path]) -> None:
    focused = "(each => [each.tagName, each.className, each.textContent.trim().slice(0, 40)])(document.activeElement)"
    with browser.page(pages["demo"]) as page:
        page.press("Tab")
        assert page.evaluate(focused)[1] == "skip"
        assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0  # shown once it has the focus
        reached = []
        while (now := page.evaluate(focused))[0] != "BODY" and len(reached) < 500:
            reached.append(now)
            page.press("Tab")
        wanted = page.evaluate(
            "[...document.querySelectorAll('a, summary')].filter(each => each.checkVisibility()).length"
        )
        assert sum(tag in ("A", "SUMMARY") for tag, *_ in reached) == wanted
        page.evaluate("document.querySelector('summary').focus()")
        page.press("Enter")
        assert page.evaluate("document.querySelector('details').open") is True


@pytest.mark.parametrize("dark", [False, True])
def test_contrast(browser: Chromium, pages: dict[str, Path], dark: bool) -> None:
    """AA: every text against its background."""
    with browser.page(pages["demo"], dark=dark) as page:
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize(
    "file", ["nothing", "odd", "list", "member", "learned", *slow("demo", "thin", "many", "delivery")], indirect=True
)
def test_axe_finds_nothing(browser: Chromium, file: Path) -> None:
    """No problem for screen readers or keyboards, by the rules of axe-core. A long page repeats what short ones have."""
    with browser.page(file) as page:
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        page.call("Runtime.evaluate", expression=AXE.read_text(encoding="utf-8"))
        found = "axe.run().then(found => found.violations.map(each => [each.id, each.nodes.map(node => node.html)]))"
        looks = ((DESK, False), (DESK, True), (PHONE, False))
        for width, dark in looks if file.stat().st_size < LONG else looks[:1]:
            page.show(width, dark=dark)
            assert page.evaluate(found) == [], (width, dark)


CONTRAST = """(() => {
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => {
        const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        const [r, g, b] = parts(colour).slice(0, 3).map(v => linear(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = each => {
        for (; each; each = each.parentElement) {
            const colour = getComputedStyle(each).backgroundColor;
            if (parts(colour)[3] !== 0) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const bad = [];
    for (const each of document.querySelectorAll('body *')) {
        const said = [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
        if (!said || !each.checkVisibility()) continue;
        const style = getComputedStyle(each);
        const [a, b] = [light(each.closest('svg') ? style.fill : style.color), light(behind(each))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) bad.push([each.tagName, each.textContent.slice(0, 30), ratio]);
    }
    return bad;
})()"""


def accessible(page: Page) -> list[dict[str, Any]]:
    """The accessibility tree without ignored nodes."""
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    return [node for node in tree if not node.get("ignored")]
