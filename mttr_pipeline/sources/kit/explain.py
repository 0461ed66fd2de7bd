"""What a vendor's answer says, as text that is safe to show: redaction and the vendors' error envelopes.

What does not belong here: deciding what to do about an answer (`http`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import msgspec

_HIDDEN = "[hidden]"
_PATTERNS = (
    # header forms: PagerDuty `Token token=...`, Opsgenie `GenieKey ...`, Basic, Bearer
    re.compile(r"(?i)\b(authorization[\"']?\s*[:=]\s*[\"']?)[^\"'\r\n,}]+"),
    re.compile(r"(?i)\b(token token=|geniekey\s+|basic\s+(?=[\w+/=-]{8,})|bearer\s+(?=[\w.+/=-]{8,}))[^\s\"',;]+"),
    # query values and JSON members that are named like a secret
    re.compile(r"(?i)\b((?:api[_-]?key|api[_-]?token|access[_-]?token|token|password|secret)=)[^\s&\"'<>]+"),
    re.compile(
        r"(?i)([\"'](?:api[_-]?key|api[_-]?token|access[_-]?token|token|password|secret)[\"']\s*:\s*[\"'])[^\"']+"
    ),
    re.compile(r"(://)[^/\s@]+(?=@)"),
)
_TAGS = re.compile(r"(?is)<(script|style).*?</\1>|<[^>]+>")
_LONGEST = 300


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without credentials: the given secrets in every encoding we send, and whatever is named like one."""
    for secret in secrets:
        for form in {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()}:
            text = text.replace(form, _HIDDEN) if len(form) > 3 else text
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<1>{_HIDDEN}", text)
    return text


def vendor_message(body: bytes) -> str:
    """The vendor's own words in an error body, on one line, at most 300 characters; empty when it says nothing.

    Knows `{"error": {"message", "errors": [..] or {field: [..]}}}` (PagerDuty, both shapes of its OpenAPI
    description), `{"message"}` (Opsgenie), `{"errorMessages": [], "errors": {}}` (Jira), `{"errors": [{"title",
    "detail"}]}` (JSM Operations) and HTML.
    """
    try:
        content = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = _TAGS.sub(" ", body[:20_000].decode("utf-8", "replace"))
    else:
        text = "; ".join(dict.fromkeys(_words(content)))
    text = " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _words(content: Any) -> Iterable[str]:
    if isinstance(content, str):
        if content.strip():
            yield content.strip()
    elif isinstance(content, list):
        for item in content:
            yield from _words(item)
    elif isinstance(content, dict):
        if "error" in content:
            yield from _words(content["error"])
        for key in ("message", "title", "detail", "errorMessages"):
            yield from _words(content.get(key))
        errors = content.get("errors")
        if isinstance(errors, dict):
            for name, said in errors.items():
                yield f"{name}: {', '.join(_words(said))}"
        else:
            yield from _words(errors)
