"""The HTTP client where a vendor says more than a body: entity tags, other pages, redirects, a rate limit with status 403.

Against a real server on loopback, with a clock that only sleeping moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from test_http import OK, Clock, Vendor, rows

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.errors import PermanentError, TransientError
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.query import next_page
from mttr_pipeline.sources.kit.ratelimit import Throttling

Make = Callable[..., HttpClient]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    running = Vendor()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(vendor: Vendor, clock: Clock) -> Iterator[Make]:
    made: list[HttpClient] = []

    def make(**more: Any) -> HttpClient:
        options = SourceOptions(max_wait_minutes=2)
        made.append(
            HttpClient(
                vendor.url, "Acme", options, headers={"Authorization": "x"}, clock=clock, sleep=clock.sleep, **more
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("path", ["/things", "/things/a b"])
def test_what_did_not_change_has_no_value(vendor: Vendor, client: Make, path: str) -> None:
    """Whether the request is prepared here or by the library."""
    vendor.script = [(200, {"ETag": 'W/"1"'}, OK[2]), (304, {"ETag": 'W/"1"'}, b"")]
    http = client()
    first = http.fetch(path, parse=rows)
    assert first.value and "If-None-Match" not in vendor.seen[0][1]
    second = http.fetch(path, parse=rows, etag=first.headers["etag"])
    assert second.value is None and vendor.seen[1][1]["If-None-Match"] == 'W/"1"'
    with pytest.raises(PermanentError, match="status 304"):
        http.get(path, parse=rows)  # nobody asked whether it changed


def test_a_redirect_is_followed_within_the_address(vendor: Vendor, client: Make) -> None:
    """By its path, with its query or else that of the request; three times at most, and only where the source wants it."""
    vendor.script = [(301, {"Location": f"{vendor.url}/moved/1"}, b"{}"), OK]
    assert client(redirects=True).get("/things", {"a": 1}, parse=rows)
    assert [path for path, _ in vendor.seen] == ["/prefix/things?a=1", "/prefix/moved/1?a=1"]
    vendor.script = [(307, {"Location": "/prefix/moved/1?b=2"}, b"{}"), OK]
    assert client(redirects=True).get("/things", {"a": 1}, parse=rows)
    assert vendor.seen[-1][0] == "/prefix/moved/1?b=2"
    vendor.seen.clear()
    vendor.script = [(302, {"Location": f"{vendor.url}/things"}, b"{}")]
    with pytest.raises(PermanentError, match="redirects"):
        client(redirects=True).get("/things", parse=rows)
    assert len(vendor.seen) == 4
    with pytest.raises(PermanentError, match="redirects"):
        client().get("/things", parse=rows)
    assert len(vendor.seen) == 5


@pytest.mark.parametrize(
    "target",
    [
        "https://elsewhere.example/prefix/things",
        "//elsewhere.example/prefix/things",
        "http://127.0.0.1.elsewhere.example/prefix/x",
        "/other/things",
        "/prefix/../other",
        "/prefixed/things",
        "",
    ],
)
def test_no_redirect_leads_out_of_the_address(vendor: Vendor, client: Make, target: str) -> None:
    """The credentials are for this address, its prefix included."""
    vendor.script = [(301, {"Location": target}, b"{}"), OK]
    with pytest.raises(PermanentError, match="redirects"):
        client(redirects=True).get("/things", parse=rows)
    assert len(vendor.seen) == 1


def test_a_wait_that_the_vendor_asks_for_costs_no_time_for_retries(vendor: Vendor, client: Make, clock: Clock) -> None:
    """Up to the patience that the source has; beyond it, and without headers, the time for retries counts as ever."""
    refuses = Throttling(
        lambda status, headers, reason: status == 403, longest_reset=4_000, patience=400, silent=50, most=90
    )
    vendor.script = [*[(403, {"Retry-After": "300"}, b"{}")] * 3, OK]
    assert client(throttling=refuses).get("/things", parse=rows)
    assert clock.sleeps == [300, 300, 300]
    clock.sleeps.clear()
    vendor.script = [(403, {"Retry-After": "500"}, b"{}")]
    with pytest.raises(TransientError, match="after 1 try"):
        client(throttling=refuses).get("/things", parse=rows)
    vendor.script = [(403, {}, b"{}")]
    with pytest.raises(TransientError, match="after 2 tries"):
        client(throttling=refuses).get("/things", parse=rows)
    assert clock.sleeps == [50]
    vendor.script = [(403, {"Retry-After": "1"}, b"{}")]
    with pytest.raises(PermanentError, match="status 403"):
        client().get("/things", parse=rows)  # to another vendor, a refusal


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("", None),
        (
            '<https://x.example/r/1/d?per_page=100&page=2>; rel="next", <https://x.example/r/1/d?page=5>; rel="last"',
            "2",
        ),
        ('<https://x.example/d?page=1>; rel="prev", <https://x.example/d?page=1>; rel="first"', None),
        ('<https://elsewhere.example/d?page=3>; title="a, b"; rel="last next"', "3"),
        ("<>; rel=next", ""),
        ("nonsense", None),
    ],
)
def test_the_next_page_is_the_query_of_a_link(link: str, expected: str | None) -> None:
    found = next_page({"link": link})
    assert (found if found is None else dict(found).get("page", "")) == expected
