"""What is hidden in texts: secrets in every spelling, addresses of people, characters that steer a terminal."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from mttr_pipeline.errors import ContractError
from mttr_pipeline.hidden import one_line, redact, without_addresses
from mttr_pipeline.sources.kit.explain import vendor_message

SECRET = "kX9/vQ+2mZ&7tR'w<4s"  # with every character that an encoding changes
CUT = 7  # characters of a secret that may stand there alone


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


#: Name -> how a body may carry a text.
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent signs": lambda s: quote(s, safe=""),
    "all of it in percent signs": percent,
    "percent signs in lower case": lambda s: percent(s).lower(),
    "percent signs twice": lambda s: quote(percent(s)),
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON escapes": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "JSON in JSON": lambda s: json.dumps("".join(f"\\u{ord(c):04X}" for c in s))[1:-1],
    "HTML numbers": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "HTML hex": lambda s: "".join(f"&#x{ord(c):x};" for c in s),
    "HTML names": lambda s: s.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&#39;"),
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "hex escapes": lambda s: "".join(f"\\x{byte:02x}" for byte in s.encode()),
    **{f"Base64 after {n}": lambda s, n=n: base64.b64encode(b"u" * n + s.encode() + b":p").decode() for n in range(4)},
    **{
        f"URL Base64 after {n}": lambda s, n=n: base64.urlsafe_b64encode(b"?" * n + s.encode()).decode()
        for n in range(3)
    },
    "Base64 in percent signs": lambda s: quote(base64.b64encode(s.encode()).decode(), safe=""),
    "Base64 over lines": lambda s: base64.encodebytes(s.encode() * 4).decode(),
    "line breaks": lambda s: "\n".join(s[i : i + 3] for i in range(0, len(s), 3)),
    "line breaks in JSON": lambda s: "\\r\\n".join(s[i : i + 4] for i in range(0, len(s), 4)),
    "tags": lambda s: "".join(f"<wbr/>{c}" for c in s),
    "tags with names": lambda s: f"{s[:9]}</b> <i class='x'>{s[9:]}",
    "invisible characters": lambda s: "\u200b".join(s),
}


def pieces(text: str, length: int) -> set[str]:
    return {text[i : i + length] for i in range(len(text) - length + 1)}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_secret_is_shown(spelling: str) -> None:
    """Vendors and proxies echo what they were sent, written as their pages, logs and JSON write it."""
    written = SPELLINGS[spelling](SECRET)
    shown = redact(f"before {written} after", [SECRET])
    assert shown.startswith("before ") and shown.endswith(" after") and "[hidden]" in shown
    assert not pieces(written, 12) & pieces(shown, 12), shown
    assert not pieces(SECRET, CUT) & pieces(shown, CUT)


@pytest.mark.parametrize("end", [slice(None, 16), slice(-16, None)])
@pytest.mark.parametrize("spelling", ["as it is", "percent signs", "hex", "Base64 after 0"])
def test_half_a_secret_is_hidden_too(spelling: str, end: slice) -> None:
    """A vendor cuts its messages to length, wherever the secret stands."""
    written = SPELLINGS[spelling](SECRET)[end]
    assert not pieces(written, CUT) & pieces(redact(f"token {written}…", [SECRET]), CUT)


def test_a_secret_is_hidden_before_a_message_is_cut() -> None:
    """Of the first 300 characters the last would otherwise be the first of a secret."""
    for before in range(280, 300):
        for body in (json.dumps({"message": "x" * before + SECRET}), "<p>" + "x" * before + SECRET):
            assert not pieces(SECRET, 4) & pieces(vendor_message(body.encode(), [SECRET]), 4)


def test_words_that_a_secret_shares_with_a_sentence_stay() -> None:
    """The beginning of `pagerduty-demo-...` is no secret where the vendor is named."""
    text = "PagerDuty: pagerduty-demo.example refused /incidents; check PAGERDUTY_TOKEN"
    assert redact(text, ["pagerduty-demo-Xy12ab"]) == text


@pytest.mark.parametrize(
    "address", ["jane.doe@example.com", "J.Doe+x@mail.example.co.uk", "jane%40example.com", "jörg@bücher.example"]
)
def test_addresses_of_people_are_hidden(address: str) -> None:
    assert without_addresses(f"User <{address}>, may not.") == "User <<e-mail>>, may not."


def test_what_is_no_address_stays() -> None:
    text = "deploy@3 failed @ 40% of 6400 hosts, see https://host.example/@team and image:v1@sha256"
    assert without_addresses(text) == text


@pytest.mark.parametrize(
    "text", ["\x1b[31mred\x1b[0m", "a\x1b]0;title\x07b", "\u202eabc", "one\ntwo\x9b2J", "a\x00b\x08"]
)
def test_no_sentence_steers_a_terminal(text: str) -> None:
    """A vendor's text could overwrite what stands above it, or hide a part of itself."""
    for shown in (one_line(text), str(ContractError(text))):
        assert shown.isprintable() and "[31m" not in shown and "title" not in shown
