"""`mttr serve` over real HTTP: what is accepted is on the disk and published by the next run, whatever else is sent to it."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from support import settings_for
from support_e2e import REPOSITORY, clean_env, command, finished_run, latest, mttr, query

from mttr_pipeline.errors import ConfigError
from mttr_pipeline.landing.readers import MAX_RECORD_BYTES
from mttr_pipeline.serve.deliveries import Delivery, store
from mttr_pipeline.serve.entrance import Rate
from mttr_pipeline.serve.server import Server

TOKEN = "a-token-that-nobody-guesses-7731"
SECRET = "signing-secret-of-pagerduty-5512"
BODIES = REPOSITORY / "tests" / "fixtures" / "received"


@contextmanager
def serving(data_dir: Path, env: dict[str, str] | None = None, rate: int = 600) -> Iterator[tuple[str, list[str]]]:
    """The server in a thread: its address, and the lines it told."""
    told: list[str] = []
    data_dir.mkdir(parents=True, exist_ok=True)
    server = Server(settings_for(data_dir, env=env or {}), env or {}, "127.0.0.1", 0, rate, told.append)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.address, told
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()


def alerts(name: str = "a1") -> bytes:
    """A body of Alertmanager, which does not sign."""
    alert = {
        "status": "firing", "labels": {"alertname": "Latency", "service": "checkout"}, "annotations": {}, "fingerprint": name,
        "startsAt": "2026-11-01T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
    }  # fmt: skip
    return json.dumps({"version": "4", "groupKey": "k", "status": "firing", "alerts": [alert]}).encode()


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-PagerDuty-Signature": "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def inbox(data_dir: Path) -> dict[str, bytes]:
    """What a run would find, by path."""
    folder = data_dir / "inbox"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_delivery_is_on_the_disk_before_it_is_answered(tmp_path: Path) -> None:
    """Body byte for byte, for its owner alone, with no header that lets anybody in; the same one again is one file."""
    body = alerts()
    with serving(tmp_path, {"MTTR_SERVE_TOKEN": TOKEN}) as (address, told):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answers = [
            requests.post(f"{address}/webhook/alertmanager", body, headers=headers, timeout=10) for _ in range(2)
        ]
    assert [answer.status_code for answer in answers] == [200, 200]
    first, again = (answer.json() for answer in answers)
    assert (first["status"], again["status"]) == ("accepted", "repeated")
    assert first["delivery_id"] == again["delivery_id"]
    assert inbox(tmp_path) == {f"alertmanager/{first['delivery_id']}.json": body}
    path = tmp_path / "inbox" / "alertmanager" / f"{first['delivery_id']}.json"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert told == [f"alertmanager: accepted {first['delivery_id']}", f"alertmanager: repeated {first['delivery_id']}"]


def test_who_may_send(tmp_path: Path) -> None:
    """The token where nothing is signed, the signature where a secret is set; a wrong one of either leaves nothing."""
    body = b'{"event": {}}'
    env = {"MTTR_SERVE_TOKEN": TOKEN, "PAGERDUTY_WEBHOOK_SECRET": SECRET}
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with serving(tmp_path, env) as (address, told):

        def code(account: str, headers: dict[str, str], auth: tuple[str, str] | None = None) -> int:
            found = requests.post(f"{address}/webhook/{account}", body, headers=headers, auth=auth, timeout=10)
            assert TOKEN not in found.text and SECRET not in found.text
            return found.status_code

        assert code("alertmanager", {}) == code("alertmanager", {"Authorization": "Bearer wrong"}) == 401
        assert (
            code("alertmanager", {"Authorization": "Basic %%%"}) == code("alertmanager", {"Authorization": "x"}) == 401
        )
        assert code("pagerduty", bearer) == 401, "the token is no signature: the run would not take such a body"
        assert code("pagerduty", signed(body, "another")) == code("pagerduty", signed(body + b" ")) == 401
        assert inbox(tmp_path) == {}
        assert code("alertmanager", {}, ("anybody", TOKEN)) == 200
        assert code("pagerduty", signed(body)) == 200
    names = sorted(inbox(tmp_path))
    assert [name.partition("/")[0] for name in names] == ["alertmanager", "pagerduty", "pagerduty"]
    sidecar = next(content for name, content in inbox(tmp_path).items() if name.endswith(".headers"))
    assert sidecar.decode().splitlines() == [f"X-PagerDuty-Signature: {signed(body)['X-PagerDuty-Signature']}"]
    assert not any(TOKEN in line or SECRET in line for line in told)


def test_a_page_in_a_browser_cannot_send_without_a_token(tmp_path: Path) -> None:
    """Any site can make a browser call 127.0.0.1, but under the site's name only."""
    with serving(tmp_path) as (address, _):
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example"):
            answer = requests.post(f"{address}/webhook/custom", b"{}", headers={"Host": host}, timeout=10)
            assert (answer.status_code, "set MTTR_SERVE_TOKEN" in answer.json()["error"]) == (401, True)
            assert requests.get(address, headers={"Host": host}, timeout=10).status_code == 401
        for host in ("localhost", "localhost:8321", "127.0.0.1:1", "[::1]:8321"):
            assert requests.post(f"{address}/webhook/custom", b"{}", headers={"Host": host}, timeout=10).ok
    assert len(inbox(tmp_path)) == 1


@pytest.mark.parametrize(
    ("path", "body", "headers", "code", "sentence"),
    [
        ("custom", b"not json", {}, 400, "the body is no JSON document"),
        ("custom", b"", {}, 400, "the body is no JSON document"),
        ("custom", b"\xff\xfe", {}, 400, "the body is no JSON document"),
        ("custom", b"[" * 100_000, {}, 400, "the body is no JSON document"),
        ("nobody", b"{}", {}, 404, "no account takes webhooks under this name"),
        ("custom", b"{}", {"Content-Encoding": "gzip"}, 415, "compressed bodies are not taken"),
        ("custom", b"x" * (MAX_RECORD_BYTES + 1), {}, 413, "larger than 8 MiB"),
        ("..%2f..%2fcustom", b"{}", {}, 405, ""),
    ],
)
def test_what_is_refused_leaves_nothing(
    tmp_path: Path, path: str, body: bytes, headers: dict[str, str], code: int, sentence: str
) -> None:
    with serving(tmp_path) as (address, _):
        answer = requests.post(f"{address}/webhook/{path}", body, headers=headers, timeout=30)
        assert (answer.status_code, sentence in answer.text) == (code, True), answer.text
        assert requests.post(f"{address}/webhook/custom", b"{}", timeout=10).ok  # the next one is not harmed
    assert len(inbox(tmp_path)) == 1


def test_a_body_without_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred megabytes announced, the same in chunks, a sender that stops in the middle, one that hangs up: bounded all four."""
    monkeypatch.setattr("mttr_pipeline.serve.app.BODY_SECONDS", 0.5)
    head = b"POST /webhook/custom HTTP/1.1\r\nHost: localhost\r\n"
    with serving(tmp_path) as (address, _):
        port = int(address.rpartition(":")[2])

        def raw(send: bytes, then: Callable[[socket.socket], object] = lambda _: None) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(send)
                then(connection)
                return connection.recv(65536)

        assert b" 413 " in raw(head + b"Content-Length: 104857600\r\n\r\n{")
        assert b" 408 " in raw(head + b"Content-Length: 10\r\n\r\n{")

        def endless(connection: socket.socket) -> None:
            part = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
            with_limit = 2 * MAX_RECORD_BYTES // 0x100000
            for _ in range(with_limit):
                try:
                    connection.sendall(part)
                except OSError:
                    return

        assert raw(head + b"Transfer-Encoding: chunked\r\n\r\n", endless)[:12] in (b"HTTP/1.1 413", b"")
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(head + b"Content-Length: 10\r\n\r\n{")
        assert requests.post(f"{address}/webhook/custom", b"{}", timeout=10).ok
    assert len(inbox(tmp_path)) == 1


def test_a_flood_is_asked_to_come_later(tmp_path: Path) -> None:
    """5xx, because Alertmanager drops what is answered with 4xx; another account is not held up by it."""
    with serving(tmp_path, rate=3) as (address, _):
        codes = []
        for number in range(5):
            answer = requests.post(f"{address}/webhook/alertmanager", alerts(f"f{number}"), timeout=10)
            codes.append(answer.status_code)
        assert codes == [200, 200, 200, 503, 503]
        assert 1 <= int(answer.headers["Retry-After"]) <= 20
        assert requests.post(f"{address}/webhook/custom", b"{}", timeout=10).ok
    assert len(inbox(tmp_path)) == 4


@pytest.mark.slow
def test_ten_thousand_deliveries_at_once(tmp_path: Path) -> None:
    """Each is answered: taken and on the disk, or asked to come later, so many as the rate says. The server is there afterwards, for
    other accounts and for readers."""
    bodies = [alerts(f"t{number}") for number in range(10_000)]

    def send(part: list[bytes]) -> list[int]:
        codes = []
        for body in part:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("POST", "/webhook/alertmanager", body)
            codes.append(connection.getresponse().status)
            connection.close()
        return codes

    with serving(tmp_path, rate=600) as (address, told), ThreadPoolExecutor(8) as pool:
        port, begun = int(address.rpartition(":")[2]), time.monotonic()
        codes = [code for part in pool.map(send, [bodies[n::8] for n in range(8)]) for code in part]
        minutes = (time.monotonic() - begun) / 60
        assert requests.post(f"{address}/webhook/custom", b"{}", timeout=10).ok
        assert requests.get(f"{address}/report.html", timeout=10).status_code == 404
    assert set(codes) == {200, 503} and len(codes) == len(told) - 1 == 10_000
    assert 600 <= codes.count(200) <= 600 * (1 + minutes) + 1
    assert len(inbox(tmp_path)) == codes.count(200) + 1


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=200))
def test_never_more_than_the_rate(per_minute: int, gaps: list[float]) -> None:
    """In any minute at most twice the rate: what was saved up, and what came in since."""
    rate, now, taken = Rate(per_minute), 0.0, []
    for gap in gaps:
        now += gap
        wait = rate.wait("a", now)
        assert wait >= 0
        if not wait:
            taken.append(now)
    for begin in taken:
        assert sum(begin <= at < begin + 60 for at in taken) <= 2 * per_minute + 1


def test_many_at_once_are_all_there(tmp_path: Path) -> None:
    bodies = [alerts(f"m{number}") for number in range(60)]
    with serving(tmp_path, rate=1000) as (address, _), ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda body: requests.post(f"{address}/webhook/alertmanager", body, timeout=30).status_code, bodies
            )
        )
    assert set(answers) == {200}
    assert sorted(inbox(tmp_path).values()) == sorted(bodies)


def test_first_deliveries_at_the_same_moment(tmp_path: Path) -> None:
    """Threads that all find no inbox make it once, and of one body that comes several times at once one is new."""
    for round_ in range(40):
        data_dir, start = tmp_path / str(round_), threading.Barrier(8)
        data_dir.mkdir()

        def one(number: int, data_dir: Path = data_dir, start: threading.Barrier = start) -> bool:
            start.wait()
            return store(data_dir, Delivery(None, alerts(f"m{number // 2}"), {"X-Delivery": "1"}))

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(one, range(8))) == [False] * 4 + [True] * 4
        bodies = [body for name, body in inbox(data_dir).items() if name.endswith(".json")]
        assert sorted(bodies) == sorted(alerts(f"m{number}") for number in range(4))


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    """The folder cannot be made where a file stands: the sender is asked to come again, not told that it was taken."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "alertmanager").write_text("in the way")
    with serving(tmp_path) as (address, _):
        answer = requests.post(f"{address}/webhook/alertmanager", alerts(), timeout=10)
    assert (answer.status_code, answer.json()["status"]) == (507, "refused")
    assert inbox(tmp_path) == {"alertmanager": b"in the way"}


def test_the_newest_report_is_shown_and_nothing_else() -> None:
    """Files that the manifest lists; no landing zone, no parent folder, no other generation, no writing."""
    data_dir = finished_run()
    with serving(data_dir) as (address, _):
        page = requests.get(address, timeout=10)
        assert page.url == f"{address}/report.html" and page.content == (latest(data_dir) / "report.html").read_bytes()
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        summary = requests.get(f"{address}/json/summary.json", timeout=10)
        assert summary.json() == json.loads((latest(data_dir) / "json" / "summary.json").read_text())
        for path in (
            "..%2f..%2fwork.duckdb",
            "%2e%2e/%2e%2e/work.duckdb",
            "json",
            "json/none.json",
            "/etc/passwd",
            "..",
        ):
            with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=10) as connection:
                connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                assert connection.recv(65536).split()[1] == b"404", path
        assert requests.delete(f"{address}/report.html", timeout=10).status_code == 405


def test_nothing_published_is_said(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _):
        answer = requests.get(f"{address}/report.html", timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (404, "nothing is published yet; `mttr run` publishes")


def test_a_demo_takes_no_real_data(tmp_path: Path) -> None:
    (tmp_path / ".demo").touch()
    with serving(tmp_path) as (address, _):
        answer = requests.post(f"{address}/webhook/alertmanager", alerts(), timeout=10)
    assert answer.status_code == 403 and not (tmp_path / "inbox").exists()


@pytest.mark.parametrize(
    ("env", "host", "port", "sentence"),
    [
        ({}, "0.0.0.0", 0, "can be reached from other machines; set MTTR_SERVE_TOKEN or MTTR_SERVE_TOKEN_FILE"),
        ({"MTTR_SERVE_TOKEN": "x" * 15}, "127.0.0.1", 0, "MTTR_SERVE_TOKEN has fewer than 16 characters"),
        ({}, "no-such-host.invalid", 0, "no-such-host.invalid:0 cannot be listened on"),
        ({}, "127.0.0.1", None, "cannot be listened on (Address already in use)"),
    ],
)
def test_an_address_that_will_not_do(
    tmp_path: Path, env: dict[str, str], host: str, port: int | None, sentence: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError) as caught:
        Server(settings_for(tmp_path), env, host, taken.getsockname()[1] if port is None else port, 60, print)
    assert sentence in str(caught.value)


@pytest.mark.slow
def test_what_is_received_is_published_though_every_pull_fails(tmp_path: Path) -> None:
    """The command itself, its end by a signal, and the night after it: exit code 3, because a source failed."""
    env = {"PAGERDUTY_TOKEN": "t", "PAGERDUTY_API_URL": "http://127.0.0.1:1"}
    data_dir = tmp_path / "data"
    process = subprocess.Popen(
        command("--data-dir", data_dir, "serve", "--port", "0"),
        env=clean_env(env),
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert process.stderr is not None
        address = process.stderr.readline().split()[-1]
        assert "/webhook/<account> takes alertmanager" in process.stderr.readline()
        deadline = time.monotonic() + 30
        while True:
            try:
                assert requests.post(f"{address}/webhook/alertmanager", alerts(), timeout=10).ok
                break
            except requests.ConnectionError:
                assert time.monotonic() < deadline
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, said.splitlines()[-1]) == (143, "mttr: Ended by SIGTERM.")
    night = mttr("--data-dir", data_dir, "run", "--as-of", "2026-11-02T00:00:00Z", env=env)
    assert night.code == 3 and "pagerduty is stale" in night.err, night.err
    assert query(data_dir, "SELECT source, service FROM incidents") == [("alertmanager", "checkout")]
