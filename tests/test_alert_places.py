"""Places that alerts go to, against real receivers on loopback: what arrives, how long it may take, what is said if not."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import ssl
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from receivers import mailbox, web
from support_e2e import mttr

from mttr_pipeline.alerts import Message, Place, chat, mail, places, places_of, posting
from mttr_pipeline.alerts.messages import MOST_LINES, News, of_news
from mttr_pipeline.config.alert_places import VARIABLES, alert_places
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.hidden import redact
from mttr_pipeline.told import Episode

SECRET = "Zq7xV3nK9bW5tR8yL2"
AT = datetime(2026, 11, 30, 3, 15, tzinfo=UTC)
MESSAGE = Message(
    "alerts", "Incident metrics: 1 began", ("New: Source is stale. <!channel> & co",), ({"state": "began"},)
)


def place(**env: str) -> Place:
    (found,) = places_of(alert_places({f"ALERT_{name}": value for name, value in env.items()}))
    return found


def failure(one: Place, seconds: float = 5) -> str:
    """What is said, which never holds the address."""
    wrong = places.sent(one, MESSAGE, seconds)
    assert wrong is not None and wrong.count(". ") == 0 and wrong.endswith(".")
    assert SECRET not in wrong and "127.0.0.1" not in wrong and "/hooks" not in wrong, wrong
    return wrong


# -- web addresses -----------------------------------------------------------------------------------------------------


def test_a_chat_gets_plain_text_in_which_nothing_calls_anybody() -> None:
    """`<!channel>` in the name of a service would wake up everyone."""
    with web() as receiver:
        assert places.sent(place(SLACK_WEBHOOK_URL=f"{receiver.address}/hooks/{SECRET}"), MESSAGE) is None
    (body,) = receiver.bodies
    assert body["text"] == "Incident metrics: 1 began\n\nNew: Source is stale. &lt;!channel&gt; &amp; co"
    assert body["mrkdwn"] is False


def test_a_long_message_is_cut_between_lines_and_says_so() -> None:
    """Longer ones are split or refused by the receiver, in the middle of a line."""
    body = chat.body(Message("alerts", "title", tuple(f"line {n} " + "<" * 300 for n in range(30))))
    text = str(body["text"])
    assert len(text) <= chat.MOST_CHARACTERS and text.count("line") > 2
    assert text.endswith("&lt;\n\nToo long for one message; `mttr alerts` lists all.")
    many = of_news([News(Episode("source_stale", f"s{n}", "stale.", AT), is_over=False) for n in range(100)])
    assert len(many.lines) == MOST_LINES + 1 and many.lines[-1].startswith("And 70 more") and len(many.data) == 100


def test_the_signature_is_the_hmac_of_the_bytes_that_arrive() -> None:
    """Recomputed as a receiver does it. Without a key nothing is signed."""
    with web() as receiver:
        address = f"{receiver.address}/hook?sig={SECRET}"
        assert places.sent(place(WEBHOOK_URL=address, WEBHOOK_SECRET="key-of-signatures"), MESSAGE) is None
        assert places.sent(place(WEBHOOK_URL=address), MESSAGE) is None
    (path, signed, body), (_, unsigned, _) = receiver.got
    assert path == f"/hook?sig={SECRET}"
    assert signed["X-MTTR-Signature"] == f"sha256={hmac.new(b'key-of-signatures', body, hashlib.sha256).hexdigest()}"
    assert "X-MTTR-Signature" not in unsigned
    assert receiver.bodies[0]["kind"] == "alerts" and receiver.bodies[0]["alerts"] == [{"state": "began"}]


@pytest.mark.parametrize(
    ("status", "said", "sentence"),
    [
        (
            404,
            b"no_service",
            "Slack: it refused the message with status 404 (no_service); check ALERT_SLACK_WEBHOOK_URL.",
        ),
        (403, b"<html>denied", "Slack: it refused the message with status 403; check ALERT_SLACK_WEBHOOK_URL."),
        (500, f"at {SECRET}".encode(), "(at [hidden])"),
        (429, b"rate_limited", "Slack: it refused the message with status 429 (rate_limited); if that goes on"),
    ],
)
def test_a_refusal_is_one_sentence_without_the_address(status: int, said: bytes, sentence: str) -> None:
    with web(status, said) as receiver:
        assert sentence in failure(place(SLACK_WEBHOOK_URL=f"{receiver.address}/hooks/{SECRET}"))


def test_a_redirect_is_not_followed() -> None:
    """It could lead the message, and the secret in the address, to anybody."""
    with web(307) as receiver:
        assert "redirect (status 307), which is not followed" in failure(
            place(WEBHOOK_URL=f"{receiver.address}/hooks/{SECRET}")
        )
    assert len(receiver.got) == 1


def test_a_receiver_that_never_answers_costs_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the request itself, and by the limit around it, which also ends what no time limit of a socket does."""
    with web(None) as receiver:
        one, before = place(WEBHOOK_URL=f"{receiver.address}/hooks/{SECRET}"), time.monotonic()
        assert "did not answer within 0.05 seconds" in failure(one, 0.05)
        monkeypatch.setattr(posting, "SECONDS", 0.05)
        assert "did not answer within 0.05 seconds" in failure(one)
        assert time.monotonic() - before < 3


def test_nobody_at_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        assert "the connection was refused" in failure(place(WEBHOOK_URL=f"http://{address}/hooks/{SECRET}"))
        found = failure(place(SMTP_URL=f"smtp://{address}/?from=a@x.example&to=b@x.example"))
        assert found == "Mail: the server refused the connection; check ALERT_SMTP_URL and the network."


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for vendors: in many companies there is no other way out."""
    with web() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        assert places.sent(place(WEBHOOK_URL="http://receiver.example/hook"), MESSAGE) is None
    assert proxy.got[0][0] == "http://receiver.example/hook"


# -- mail --------------------------------------------------------------------------------------------------------------


def smtp(port: int, *, user: str = "", more: str = "") -> Place:
    return place(SMTP_URL=f"smtp://{user}localhost:{port}/?from=mttr@x.example&to=a@x.example,b@x.example{more}")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """The context of a server whose certificate a private authority issued, and the file of that authority."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return context, path


def test_a_mail_arrives() -> None:
    """As text, to every recipient, marked so that no out-of-office reply answers it."""
    with mailbox() as box:
        assert places.sent(smtp(box.port), MESSAGE) is None
    (got,) = box.got
    assert (got["Subject"], got["From"], got["To"]) == (MESSAGE.title, "mttr@x.example", "a@x.example, b@x.example")
    assert got["Auto-Submitted"] == "auto-generated" and got.get_content().strip() == MESSAGE.lines[0]  # type: ignore[attr-defined]


def test_tls_that_is_required_is_not_done_without() -> None:
    """Neither the message nor a password goes over a connection that anybody reads."""
    with mailbox() as box:
        assert "offers no TLS, and starttls=required wants it" in failure(smtp(box.port, more="&starttls=required"))
        assert "the password is sent over TLS only" in failure(smtp(box.port, user=f"ops:{SECRET}@"))
    assert box.got == [] and box.logins == []


def test_mail_over_tls_with_a_password(tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is checked, with a private authority as for vendors; user and password are percent-encoded in the address."""
    with mailbox(tls[0], password=f"{SECRET}/") as box:
        right, wrong = (
            smtp(box.port, user=f"ops:{word}@", more="&starttls=required") for word in (f"{SECRET}%2F", f"{SECRET}x")
        )
        assert "certificate is not trusted" in failure(right)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls[1]))
        assert places.sent(right, MESSAGE) is None
        assert failure(wrong) == "Mail: the server refused user and password; correct ALERT_SMTP_URL."
    assert len(box.got) == 1 and set(box.logins) == {"ops"}


def test_recipients_that_the_server_does_not_know() -> None:
    """One of them is told too: else the only reader may be the one who hears nothing. The sentence names nobody."""
    with mailbox() as box:
        box.refused = frozenset({"a@x.example"})
        assert failure(smtp(box.port)) == "Mail: the server refused 1 of 2 recipients; check `to` in ALERT_SMTP_URL."
        box.refused = frozenset({"a@x.example", "b@x.example"})
        assert "every recipient" in failure(smtp(box.port))


def test_a_mail_server_that_takes_no_password(
    tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there, so the sentence does not send anybody to look at the network. Nor is one that hangs up unknown."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls[1]))
    with mailbox(tls[0], auth_exclude_mechanism=["LOGIN", "PLAIN"]) as box:
        assert "the server takes no user and password" in failure(smtp(box.port, user=f"ops:{SECRET}@"))
    with socket.create_server(("127.0.0.1", 0)) as rude:
        threading.Thread(target=lambda: rude.accept()[0].close(), daemon=True).start()
        assert "the server broke the connection off" in failure(smtp(rude.getsockname()[1]))


def test_a_mail_server_that_says_nothing_costs_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(mail, "SECONDS", 0.05)
        one = place(SMTP_URL=f"smtp://127.0.0.1:{silent.getsockname()[1]}/?from=a@x.example&to=b@x.example")
        assert "did not answer within 0.05 seconds" in failure(one)


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"SLACK_WEBHOOK_URL": f"ftp://x.example/{SECRET}"}, "begins with https:// or http://"),
        ({"WEBHOOK_URL": f"https://x.example:99999/{SECRET}"}, "ALERT_WEBHOOK_URL must be an address"),
        ({"WEBHOOK_URL": f"https://ops:{SECRET}@x.example/"}, "must not carry a user name"),
        ({"WEBHOOK_SECRET": SECRET}, "signs what ALERT_WEBHOOK_URL gets"),
        ({"SMTP_URL": f"smtp://ops:{SECRET}@x.example/?from=a@x.example"}, "needs the mail addresses"),
        (
            {"SMTP_URL": f"smtp://ops:{SECRET}@x.example/?from=a@x.example&to=b@x.example%0ABcc:c@x.example"},
            "needs the mail",
        ),
        (
            {"SMTP_URL": f"smtp://ops:{SECRET}@x.example/?from=a@x.example&to=b@x.example&starttls=yes"},
            "required or offered",
        ),
        (
            {"SMTP_URL": f"smtp://ops:{SECRET}@x.example/?from=a@x.example&to=b@x.example&tls=1"},
            "takes from, to and starttls",
        ),
        (
            {"SMTP_URL": f"smtps://ops:{SECRET}@x.example/?from=a@x.example&to=b@x.example&starttls=required"},
            "take starttls out",
        ),
        ({"SMTP_URL": "smtp://ops@x.example/?from=a@x.example&to=b@x.example"}, "both a user and a password"),
    ],
)
def test_what_is_wrong_with_an_address(env: dict[str, str], said: str) -> None:
    """The sentence names the variable and never its value."""
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        alert_places({f"ALERT_{name}": value for name, value in env.items()})
    assert SECRET not in str(caught.value) and "x.example" not in str(caught.value)


def test_the_secret_part_of_an_address_is_hidden_and_its_words_are_not() -> None:
    """Hiding the host, or a path like /alert, would cut holes into titles that name them."""
    alert_places(
        {
            "ALERT_SLACK_WEBHOOK_URL": f"https://10.1.2.3/services/{SECRET}",
            "ALERT_WEBHOOK_URL": "https://x.example/alert",
        }
    )
    assert redact(f"see https://10.1.2.3/services/{SECRET}") == "see https://10.1.2.3[hidden]"
    assert (
        redact("10.1.2.3 is down, see /alert and https://10.1.2.9/a")
        == "10.1.2.3 is down, see /alert and https://10.1.2.9/a"
    )


def test_every_address_can_come_from_a_file(tmp_path: Path) -> None:
    """As every secret."""
    (tmp_path / "url").write_text(f"https://x.example/{SECRET}\n")
    assert places_of(alert_places({"ALERT_WEBHOOK_URL_FILE": str(tmp_path / "url")}))[0].name == "webhook"
    assert set(VARIABLES) == {"SLACK_WEBHOOK_URL", "WEBHOOK_URL", "WEBHOOK_SECRET", "SMTP_URL"}


def test_the_test_message_says_per_place_what_happened(tmp_path: Path) -> None:
    """One place that fails is exit code 1, none configured is 2, and nothing is kept."""
    data: Any = ("--data-dir", tmp_path / "data", "alerts", "--test")
    assert "No alert goes anywhere: set ALERT_SLACK_WEBHOOK_URL" in mttr(*data).ended(2).err
    with web() as chat_receiver, web(500) as hook, mailbox() as box:
        env = {
            "ALERT_SLACK_WEBHOOK_URL": f"{chat_receiver.address}/{SECRET}",
            "ALERT_SMTP_URL": f"smtp://127.0.0.1:{box.port}/?from=a@x.example&to=b@x.example",
        }
        done = mttr(*data, env=env).ended(0)
        assert done.out.splitlines() == [
            "Slack: ok, the test message was taken.",
            "Mail: ok, the test message was taken.",
        ]
        failed = mttr(*data, env=env | {"ALERT_WEBHOOK_URL": f"{hook.address}/{SECRET}"}).ended(1)
    assert (
        failed.err.startswith("Webhook: it refused the message with status 500 (ok)")
        and len(failed.out.splitlines()) == 2
    )
    assert chat_receiver.bodies[0]["text"].startswith("Incident metrics: test") and box.got
    assert SECRET not in failed.text and not (tmp_path / "data").exists()
