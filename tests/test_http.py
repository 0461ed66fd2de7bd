"""The HTTP client against a real server on loopback: what is retried, what is not, how long is waited, what is said.

Time is a clock that only sleeping moves, so nothing here waits or depends on the machine's speed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import QuietHandler, QuietServer

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.errors import PermanentError, TransientError
from mttr_pipeline.hidden import redact
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.explain import vendor_message
from mttr_pipeline.sources.kit.failures import HttpRefused, HttpUnavailable, Refusal
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.ratelimit import RateLimiter, allowance, retry_after

SECRET = "s3cr3t-k3y/with+odd=chars"
OK = (200, {}, b'{"rows": [{"id": "a"}]}')


class Clock:
    """Seconds that pass only while something sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


class Vendor:
    """Answers with what stands in `script` (the last one for ever): (status, headers, body) or a callable for the
    handler itself."""

    def __init__(self) -> None:
        self.script: list[Any] = [OK]
        self.seen: list[tuple[str, dict[str, str]]] = []
        vendor = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:
                vendor.seen.append((self.path, dict(self.headers)))
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                step = vendor.script.pop(0) if len(vendor.script) > 1 else vendor.script[0]
                if callable(step):
                    step(self)
                    return
                status, headers, body = step
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/prefix"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    running = Vendor()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


Make = Callable[..., HttpClient]


@pytest.fixture
def client(vendor: Vendor, clock: Clock) -> Iterator[Make]:
    made: list[HttpClient] = []

    def make(url: str | None = None, **options: Any) -> HttpClient:
        made.append(
            HttpClient(
                url or vendor.url,
                "Acme",
                SourceOptions(**options),
                headers={"Authorization": f"Token token={SECRET}"},
                secrets=(SECRET,),
                address_variable="ACME_URL",
                remedies={401: "check ACME_TOKEN"},
                clock=clock,
                sleep=clock.sleep,
                jitter=lambda: 1.0,
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def rows(body: bytes) -> list[bytes]:
    return envelope.member_list(body, "rows")


def cut(handler: BaseHTTPRequestHandler) -> None:
    """Promise more bytes than come."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"rows": [')
    handler.close_connection = True


def reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Never answer within the timeout."""
    threading.Event().wait(1.5)
    handler.close_connection = True


# -- what is retried ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_passing_failures_are_retried_until_they_pass(vendor: Vendor, client: Make, status: int) -> None:
    vendor.script = [(status, {}, b"{}"), (status, {}, b"{}"), OK]
    http = client()
    assert http.get("/things", parse=rows) == [b'{"id": "a"}']
    assert (http.requests, http.retries) == (3, 2)


@pytest.mark.parametrize(
    "trouble",
    [cut, reset, (200, {}, b'{"rows": [{"id": "a"}'), (200, {"Content-Type": "text/html"}, b"<html>log in</html>")],
    ids=["cut", "reset", "truncated json", "html"],
)
def test_broken_answers_are_asked_for_again(vendor: Vendor, client: Make, trouble: Any) -> None:
    vendor.script = [trouble, OK]
    assert client().get("/things", parse=rows) == [b'{"id": "a"}']


def test_a_timeout_is_retried(vendor: Vendor, client: Make) -> None:
    vendor.script = [hang, OK]
    assert client(timeout_seconds=0.3).get("/things", parse=rows) == [b'{"id": "a"}']


def test_a_server_that_drips_is_given_up_in_time(vendor: Vendor, client: Make, clock: Clock) -> None:
    """A byte now and then keeps every socket timeout from striking: the whole answer has a limit of its own."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(1000):
                handler.wfile.write(b" ")
                clock.now += 1
                pause.wait(0.001)

    pause = threading.Event()
    vendor.script = [drip, OK]
    asking = client()
    assert asking.get("/x", parse=lambda body: body) == OK[2]
    assert asking.requests == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 410, 422])
def test_refusals_are_not_retried_and_say_who_why_and_what_to_do(vendor: Vendor, client: Make, status: int) -> None:
    vendor.script = [(status, {}, b'{"message": "not like this"}')]
    http = client()
    with pytest.raises(HttpRefused) as caught:
        http.get("/things", parse=rows)
    assert http.requests == 1 and caught.value.status == status
    text = str(caught.value)
    assert "Acme" in text and http.host in text and str(status) in text and "not like this" in text
    if status == 401:
        assert "check ACME_TOKEN" in text


def test_html_with_status_200_is_given_up_after_three_tries(vendor: Vendor, client: Make) -> None:
    """A login page of a proxy does not go away by asking often."""
    vendor.script = [(200, {"Content-Type": "text/html"}, b"<html><title>Sign in</title></html>")]
    http = client()
    with pytest.raises(HttpUnavailable, match=r"web page instead of JSON.*Sign in.*ACME_URL"):
        http.get("/things", parse=rows)
    assert http.requests == 3


def test_a_redirect_is_an_error_that_names_the_target_host_and_not_its_query(vendor: Vendor, client: Make) -> None:
    vendor.script = [(302, {"Location": "https://login.example.com/x?token=abc"}, b"")]
    http = client()
    with pytest.raises(PermanentError, match=r"redirects to https://login\.example\.com/x\).*ACME_URL") as caught:
        http.get("/things", parse=rows)
    assert "abc" not in str(caught.value) and http.requests == 1


def test_a_host_that_refuses_from_the_start_is_reported_after_a_few_quick_tries(client: Make, clock: Clock) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    http = client(f"http://127.0.0.1:{port}")
    with pytest.raises(
        TransientError, match=rf"127\.0\.0\.1:{port} cannot be reached \(connection refused\).*ACME_URL"
    ):
        http.get("/things", parse=rows)
    assert http.requests == 4 and sum(clock.sleeps) < 10


def test_the_waits_grow_and_are_capped_and_the_total_is_bounded(vendor: Vendor, client: Make, clock: Clock) -> None:
    vendor.script = [(503, {}, b"{}")]
    http = client(max_wait_minutes=5)
    with pytest.raises(HttpUnavailable, match="status 503"):
        http.get("/things", parse=rows)
    assert clock.sleeps[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(clock.sleeps) == 60 and sum(clock.sleeps) <= 300


def test_retry_after_longer_than_the_bound_ends_at_once(vendor: Vendor, client: Make, clock: Clock) -> None:
    vendor.script = [(503, {"Retry-After": "500"}, b"{}")]
    with pytest.raises(HttpUnavailable):
        client(max_wait_minutes=2).get("/things", parse=rows)
    assert clock.sleeps == []


def test_retry_after_is_obeyed_in_both_forms(vendor: Vendor, client: Make, clock: Clock) -> None:
    date = format_datetime(datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=40), usegmt=True)
    vendor.script = [(503, {"Retry-After": "7"}, b"{}"), (503, {"Retry-After": date}, b"{}"), OK]
    client().get("/things", parse=rows)
    assert clock.sleeps[0] == 7
    assert 20 < clock.sleeps[1] <= 40


def test_the_environment_and_netrc_are_not_asked(vendor: Vendor, client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy variable must not reroute credentials."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert client().get("/things", parse=rows)
    assert vendor.seen[0][0] == "/prefix/things"


# -- limits ------------------------------------------------------------------------------------------------------------


def test_never_more_requests_a_minute_than_configured(vendor: Vendor, client: Make, clock: Clock) -> None:
    http = client(requests_per_minute=5)
    starts = []
    for _ in range(17):
        http.get("/things", parse=rows)
        starts.append(clock.now)
    for at in starts:
        assert sum(at - 60 < start <= at for start in starts) <= 5
    assert sum(clock.sleeps) == 180  # 17 requests at 5 a minute: three whole minutes and not one more


def test_an_exhausted_allowance_blocks_all_requests_until_the_reset(vendor: Vendor, client: Make, clock: Clock) -> None:
    vendor.script = [(200, {"ratelimit-remaining": "0", "ratelimit-reset": "11"}, OK[2]), OK]
    http = client()
    http.get("/things", parse=rows)
    http.get("/things", parse=rows)
    assert clock.sleeps == [11]


def test_the_allowance_counts_the_requests_under_way() -> None:
    clock = Clock()
    limiter = RateLimiter(None, clock, clock.sleep)
    for _ in range(3):
        limiter.acquire()
    limiter.release()
    limiter.observe({"ratelimit-remaining": "3", "ratelimit-reset": "9"})  # two of the three are under way already
    limiter.acquire()
    assert clock.sleeps == []
    limiter.acquire()
    assert clock.sleeps == [9]


def test_a_429_stops_the_other_threads_too(vendor: Vendor, client: Make, clock: Clock) -> None:
    vendor.script = [(429, {"Retry-After": "5"}, b"{}"), OK]
    http = client()
    http.get("/things", parse=rows)
    assert clock.sleeps == [5]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ratelimit-remaining": "12", "ratelimit-reset": "30"}, (12, 30)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-period-in-sec": "60"}, (0, 60)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-interval-seconds": "5"}, (0, 5)),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "3600"}, (0, 120)),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "1000000001"}, (0, 0)),  # seconds since 1970, not from now
        ({"ratelimit-remaining": "0", "ratelimit-reset": "32503680000"}, (None, None)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2999-01-01T00:00Z"}, (None, None)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1999-01-01T00:00Z"}, (0, 0)),
        ({"x-ratelimit-remaining": "many", "x-ratelimit-reset": "soon"}, (None, None)),
        ({"ratelimit-remaining": "inf", "ratelimit-reset": "nan"}, (None, None)),
        ({"x-ratelimit-state": "THROTTLED"}, (None, None)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000000000"}, (0, 0)),  # seconds since 1970
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "32472144000"}, (None, None)),
    ],
)
def test_rate_limit_headers_of_all_vendors(headers: dict[str, str], expected: tuple[Any, Any]) -> None:
    assert allowance(headers) == expected


@pytest.mark.parametrize(
    ("headers", "throttled", "expected"),
    [
        ({"retry-after": "3"}, False, 3),
        ({"retry-after": "0"}, False, None),
        ({"retry-after": "-3"}, False, None),
        ({"retry-after": "3600"}, False, 600),
        ({"retry-after": "99999"}, False, None),
        ({"retry-after": "inf"}, False, None),
        ({"retry-after": "1" * 400}, False, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, False, None),
        ({"retry-after": "Wed, 21 Oct 9999 07:28:00 GMT"}, False, None),
        ({"retry-after": "soon"}, False, None),
        ({"retry-after": "0", "ratelimit-reset": "7"}, True, 7),
        ({"ratelimit-reset": "0"}, True, None),
        ({"ratelimit-reset": "-5"}, True, None),
        ({"x-ratelimit-reset": "1999-01-01T00:00Z"}, True, None),
        ({"x-ratelimit-reset": "2999-01-01T00:00Z"}, True, None),
        ({"x-ratelimit-reset": "soon"}, True, None),
        ({"x-ratelimit-reset": "1000000000"}, True, None),
        ({"x-ratelimit-period-in-sec": "20"}, True, 20),
        ({"x-ratelimit-period-in-sec": "20"}, False, None),
        ({}, True, None),
    ],
)
def test_how_long_a_vendor_asks_to_wait(headers: dict[str, str], throttled: bool, expected: float | None) -> None:
    assert retry_after(headers, throttled=throttled) == expected


# -- what is said ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error":{"message":"Invalid","code":2001,"errors":["a is bad","b too"]}}', "Invalid; a is bad; b too"),
        (b'{"error":{"message":"Invalid","errors":{"since":["is no date"]}}}', "Invalid; since: is no date"),
        (b'{"message":"Could not authenticate","took":0.1}', "Could not authenticate"),
        (b'{"errorMessages":["No such project"],"errors":{"jql":"bad"}}', "No such project; jql: bad"),
        (
            b'{"errors":[{"title":"Unauthorized","detail":"scope does not match"}]}',
            "Unauthorized; scope does not match",
        ),
        (b"<html><style>x{}</style><h1>Bad   gateway</h1></html>", "Bad gateway"),
        (b"\x00\xff", "\ufffd"),
        (b"[" * 5000, "[" * 299 + "…"),
        (b"null", ""),
    ],
)
def test_the_vendors_own_words(body: bytes, said: str) -> None:
    assert vendor_message(body) == said


def test_a_source_explains_refusals_that_the_status_alone_does_not(vendor: Vendor) -> None:
    """Vendors hide the cause in a header or in their message; only the source knows which."""

    def remedy_for(refusal: Refusal) -> str | None:
        locked = refusal.headers.get("x-denied-reason") == "LOCKED" and refusal.reason == "no entry"
        return "unlock the account" if locked else None

    http = HttpClient(vendor.url, "Acme", SourceOptions(), remedies={403: "ask for access"}, remedy_for=remedy_for)
    vendor.script = [
        (403, {"X-Denied-Reason": "LOCKED"}, b'{"message": "no entry"}'),
        (403, {}, b"{}"),
        (402, {}, b"{}"),
    ]
    for remedy in ("unlock the account", "ask for access", "plan does not include this"):
        with pytest.raises(HttpRefused, match=remedy):
            http.get("/things", parse=rows)
    http.close()


def test_only_a_404_means_that_a_record_is_gone(vendor: Vendor, client: Make) -> None:
    """Withdrawn permissions must not lead to a tombstone."""
    http = client()
    vendor.script = [OK, (404, {}, b"{}"), (403, {}, b"{}")]
    assert http.exists("/things/1") and not http.exists("/things/2")
    with pytest.raises(HttpRefused, match="403"):
        http.exists("/things/3")


def test_no_message_ever_shows_a_credential(vendor: Vendor, client: Make) -> None:
    """Vendors and proxies echo what they were sent; none of it may reach a log."""
    basic = base64.b64encode(SECRET.encode()).decode()
    echo = f"Authorization: Token token={SECRET} and Basic {basic} at https://user:{SECRET}@host/?apiKey={SECRET}&token=abc1"
    for status, headers, body in [
        (401, {}, json.dumps({"message": echo}).encode()),
        (503, {"Retry-After": "9999"}, json.dumps({"message": echo}).encode()),
        (200, {"Content-Type": "text/html"}, f"<html>{echo}</html>".encode()),
        (302, {"Location": f"https://user:{SECRET}@host/?token={SECRET}"}, b""),
    ]:
        vendor.script = [(status, headers, body)]
        with pytest.raises((PermanentError, TransientError)) as caught:
            client(max_wait_minutes=1).get("/things", {"api_key": SECRET}, parse=rows)
        assert SECRET not in str(caught.value) and basic not in str(caught.value) and "abc1" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Token token=hunter22",
        "GenieKey hunter22",
        "Basic aHVudGVyMjI=",
        "Bearer hunter22",
        "https://u:hunter22@host/x",
        "?apiKey=hunter22&x=1",
        "?api_key=hunter22",
        "?token=hunter22",
        '{"token": "hunter22"}',
    ],
)
def test_whatever_is_named_like_a_secret_is_hidden(text: str) -> None:
    shown = redact(text)
    assert "hunter22" not in shown and "aHVudGVyMjI=" not in shown and "[hidden]" in shown


def test_redaction_leaves_plain_words_alone() -> None:
    text = "Invalid token: basic plan has no bearer of news at https://host/path?limit=100"
    assert redact(text) == text


# -- envelopes ---------------------------------------------------------------------------------------------------------


def test_records_keep_every_byte() -> None:
    body = b'{"rows": [ {"a" : 1.50,"b":"\\u00e9 \xf0\x9f\x94\xa5"} ,{"a":1e2}], "more": false}'
    assert rows(body) == [b'{"a" : 1.50,"b":"\\u00e9 \xf0\x9f\x94\xa5"}', b'{"a":1e2}']


def test_an_element_that_is_no_object_is_kept_and_marked() -> None:
    assert rows(b'{"rows":[null,"x",[1],{"id":1}]}') == [
        b'{"unreadable":null}',
        b'{"unreadable":"x"}',
        b'{"unreadable":[1]}',
        b'{"id":1}',
    ]


@pytest.mark.parametrize("poison", [b'{"id":"p","t":"\\ud800"}', b'{"id":"p","t":"\xff"}', b'{"id":"p","t":"a\x01b"}'])
def test_one_record_that_no_reader_takes_does_not_cost_the_page(poison: bytes) -> None:
    good = b'{"id": "g", "t" : "ok"}'
    found = rows(b'{"rows":[' + good + b" , " + poison + b"," + good + b'],"more":true}')
    assert found[0] == found[2] == good
    assert json.loads(found[1])["id"] == "p", "one character must not cost the id either"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"rows":[{"id":1}', b'{"rows":{}}', b"[]", b"null", b'{"other":[]}', b'{"rows":[{"a":"\\ud800"}'],
)
def test_incomplete_or_different_bodies_are_invalid(body: bytes) -> None:
    with pytest.raises(envelope.InvalidBody):
        rows(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(max_size=5), json_values, max_size=4), max_size=6), st.booleans())
def test_cutting_up_and_joining_gives_the_same_bytes(records: list[dict[str, Any]], ascii_only: bool) -> None:
    parts = [json.dumps(r, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for r in records]
    try:
        b"".join(parts).decode()
    except UnicodeDecodeError:
        return
    assert rows(b'{"rows": [' + b" , ".join(parts) + b"]}") == parts


@given(st.binary(max_size=60))
def test_any_bytes_either_cut_up_or_are_invalid(body: bytes) -> None:
    with contextlib.suppress(envelope.InvalidBody):
        envelope.member_list(b'{"rows":[' + body + b"]}", "rows")


def test_cookies_of_the_vendor_come_back(client: Make, vendor: Vendor) -> None:
    vendor.script = [(200, {"Set-Cookie": "node=7; Path=/"}, OK[2]), OK]
    ours = client()
    for _ in range(2):
        ours.get("/x", parse=envelope.members)
    assert [headers.get("Cookie") for _, headers in vendor.seen] == [None, "node=7"]
