"""What texts name: the macros of sql/macros/links.sql against a second implementation, on addresses as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import examples

from mttr_pipeline.warehouse.models import load_macros

KEY = r"[A-Za-z][A-Za-z0-9_]+-[0-9]+"
LISTS = ("incidents", "issues", "alerts", "archives", "alert/detail", "alert/show", "incident/detail", "incident/show")


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    con = duckdb.connect()
    con.execute(load_macros("links"))
    yield con
    con.close()


def ask_all(con: duckdb.DuckDBPyConnection, macro: str, texts: Sequence[object]) -> list[object]:
    """What a macro makes of many texts: to plan it takes longer than to run it."""
    rows = con.execute(f"SELECT {macro}(text) FROM (SELECT unnest($1::VARCHAR[]) AS text)", [texts]).fetchall()
    return [row[0] for row in rows]


def ask(con: duckdb.DuckDBPyConnection, macro: str, text: str) -> object:
    return ask_all(con, macro, [text])[0]


# -- the second implementation ---------------------------------------------------------------------------------------------------


def parts(url: str) -> tuple[str, str, str, str] | None:
    """Site, path, query and fragment; None for what is no address."""
    if not re.match(r"https?://", url, re.IGNORECASE) or re.search(r"[\x00-\x20]", url):
        return None
    split = urlsplit(url)
    where = split.netloc.rpartition("@")[2]
    host, _, port = where.partition(":")
    if not host or not re.fullmatch(r"[0-9]*", port):
        return None
    labels = [*host.lower().rstrip(".").split(".")]
    labels = [label for place, label in enumerate(labels) if label != "eu" or place in (0, len(labels) - 1)]
    site = "https://" + ".".join(labels) + (f":{port}" if port not in ("", "80", "443") else "")
    return site, split.path, split.query, split.fragment


def page_of(path: str, query: str) -> str | None:
    """The path of a record's page in its one form."""
    chosen = re.search(rf"(?:^|[?&])selectedIssue=({KEY})", query)
    segments = path.split("/")
    key = chosen[1] if chosen else None
    if key is None and re.search(
        rf"/(?:browse|projects/.*/?issues|queues/.*|portal/[0-9]+)/{KEY}(?![A-Za-z0-9_-])", path
    ):
        key = next(m[1] for s in segments[1:] if (m := re.match(rf"({KEY})(?![A-Za-z0-9_-])", s)))
    if key:
        return "/browse/" + key.upper()
    for n in range(1, len(segments)):
        for name in LISTS:
            words = name.split("/")
            if segments[n : n + len(words)] == words and n + len(words) < len(segments):
                found = re.match(r"[A-Za-z0-9_-]+", segments[n + len(words)])
                if found and re.search(r"[0-9]|^[A-Z]{6,}$", found[0]):
                    return "/".join([*segments[: n + len(words)], found[0]]).replace("/show/", "/detail/")
    if number := re.search(r"sys_id(?:=|%3[Dd])([0-9A-Fa-f]{32})", query):
        return "/?sys_id=" + number[1].lower()
    return None


def canonical(url: str) -> str | None:
    found = parts(url)
    if found is None:
        return None
    site, path, query, fragment = found
    page = page_of(path, query)
    if page:
        return site + page
    kept = f"#{fragment}" if re.match(r"!?/", fragment) else ""
    return site + path.rstrip("/") + (f"?{query}" if query else "") + kept


def pages_in(text: str) -> list[str] | None:
    found = set()
    for match in re.finditer(
        r"https?://[^\x00-\x20\x7f\"'<>\\|,;`^(){}\[\]]+", text.replace("\\/", "/"), re.IGNORECASE
    ):
        split = parts(match[0].rstrip(".:!?*_~"))
        page = split and page_of(split[1], split[2])
        if split and page:
            found.add(split[0] + page)
    return sorted(found) or None


def is_ticket_key(word: str) -> bool:
    return re.fullmatch(r"[A-Z][A-Z0-9_]+-[1-9][0-9]*", word) is not None


def is_short_id(word: str) -> bool:
    """A project in capitals and a number as Crockford writes it, which does not begin with 0."""
    project, dash, number = word.rpartition("-")
    digits = set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    is_project = bool(re.match("[A-Z]", project)) and not re.search("[^A-Z0-9_-]|-$", project)
    return bool(dash) and is_project and number[:1] not in ("", "0") and set(number) <= digits


def keys_in(text: str) -> list[str] | None:
    without = re.sub(r"https?://[^\x00-\x20]*", " ", text, flags=re.IGNORECASE)
    words = re.findall(r"[A-Za-z0-9_-]+", without)
    return sorted({word for word in words if is_ticket_key(word) or is_short_id(word)}) or None


# -- what is compared ------------------------------------------------------------------------------------------------------------

HOSTS = (
    "acme.pager.example",
    "Acme.EU.Pager.Example",
    "acme.eu.eu.pager.example.",
    "user:x@tracker.example",
    "tracker.example:8443",
)
IDS = (
    "Q1ABCDEF2345",
    "QTEYBOUEMAVUUK",
    "QUEUE",
    "Overview",
    "7d0f-12-1760",
    "new",
    "C0123ABCD",
    "OPS-231",
    "ops-7",
    "UTF-8",
    "OPS-0",
)
urls = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(("https://", "HTTP://", "http://")),
        st.sampled_from(HOSTS),
        st.sampled_from(("", ":443", ":")),
        st.sampled_from(("", "/jira", "/ctx", "/ctx/jira", "/jira/ops")),
        st.sampled_from(
            ("", "/browse", "/projects/OPS/issues", "/servicedesk/customer/portal/2", "/software/projects/OPS/boards/1")
        )
        | st.sampled_from(LISTS).map(lambda name: f"/{name}"),
        st.sampled_from(IDS).map(lambda name: f"/{name}") | st.just(""),
        st.sampled_from(
            (
                "",
                "/",
                "/timeline",
                "/details?x=1",
                "?selectedIssue=OPS-5&y=2",
                "#comment-3",
                "#/inc/4",
                "&lt;br",
                "?a=1",
            )
        )
        | st.just("?uri=i.do%3Fsys_id%3D" + "a1" * 16),
    ),
)
texts = st.lists(
    urls
    | st.sampled_from(
        (
            "OPS-231",
            "UTF-8",
            "CVE-2026-1234",
            "P1-2",
            "fooOPS-3",
            "OPS-12.",
            "SHA-256",
            "CHECKOUT-1A2",
            "CHECKOUT-API-A",
            "CHECKOUT-0A",
            "SHOP-1a2",
            "READ-ONLY",
            "xSHOP-1B",
            "(OPS-4)",
            "[x|",
            "]",
            '"',
            ", ",
            "\\n",
        )
    )
    | st.text(alphabet='aA-_1 .,:/\\"\né<>', max_size=6),
    max_size=8,
).map("".join)


@given(st.lists(urls, min_size=50, max_size=50))
@examples(12)
def test_addresses_have_one_form(con: duckdb.DuckDBPyConnection, given_urls: list[str]) -> None:
    found = ask_all(con, "canonical_url", given_urls)
    assert found == [canonical(url) for url in given_urls]
    assert ask_all(con, "canonical_url", found) == found, "the one form of a form is itself"


@given(st.lists(texts, min_size=50, max_size=50))
@examples(12)
def test_texts_name_the_same(con: duckdb.DuckDBPyConnection, given_texts: list[str]) -> None:
    assert ask_all(con, "record_pages_in", given_texts) == [pages_in(text) for text in given_texts]
    assert ask_all(con, "keys_in", given_texts) == [keys_in(text) for text in given_texts]


@given(st.from_regex(r"[A-Z]([A-Z0-9_-]{0,7}[A-Z0-9_])?", fullmatch=True), st.integers(1, 2**40))
@examples(50)
def test_a_short_id_is_read_whatever_its_number(con: duckdb.DuckDBPyConnection, project: str, number: int) -> None:
    """Short ids count in base 32: most have letters, and some nothing else."""
    digits = ""
    while number:
        number, digit = divmod(number, 32)
        digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[digit] + digits
    assert ask(con, "keys_in", f"Fixes {project}-{digits}, see notes") == [f"{project}-{digits}"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "https://acme.pager.example/incidents/Q1ABC23",
            "http://ACME.eu.pager.example:443/incidents/Q1ABC23/timeline?tab=2#x",
        ),
        ("https://acme.pager.example/incidents/PABCXYZ", "https://acme.pager.example/incidents/PABCXYZ/timeline"),
        ("https://t.example/browse/OPS-12", "https://t.example/jira/servicedesk/projects/OPS/queues/custom/2/OPS-12"),
        (
            "https://t.example/browse/OPS-12",
            "https://t.example/jira/software/projects/OPS/boards/1?selectedIssue=ops-12",
        ),
        ("https://a.example/alert/detail/8d0f-12/details", "https://a.example/alert/show/8d0f-12"),
        ("https://c.example/archives/C0123ABCD", "https://c.example/archives/C0123ABCD/p1790820851120039"),
    ],
)
def test_pages_of_one_record_are_one(con: duckdb.DuckDBPyConnection, one: str, other: str) -> None:
    assert ask(con, "canonical_url", one) == ask(con, "canonical_url", other) == ask(con, "record_page", other)


def test_records_that_only_a_query_tells_apart_stay_two(con: duckdb.DuckDBPyConnection) -> None:
    """With every query off, all records of such a site were one page, and one incident."""
    one, other = (ask(con, "canonical_url", f"https://t.example/view.do?number={n}") for n in (1, 2))
    assert one != other
    assert ask(con, "record_page", "https://t.example/services/P123") is None, "a service is no incident"
