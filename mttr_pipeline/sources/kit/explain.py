"""Turn a vendor's response into text that is safe to show: redaction, and the messages in error bodies.

What does not belong here: what the user can do about it (`failures`).
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
    # authorization schemes: `Token token=...`, `GenieKey ...`, `Basic ...`, `Bearer ...`
    re.compile(r"(?i)\b(authorization[\"']?\s*[:=]\s*[\"']?)[^\"'\r\n,}]+"),
    re.compile(r"(?i)\b(token token=|geniekey\s+|basic\s+(?=[\w+/=-]{8,})|bearer\s+(?=[\w.+/=-]{8,}))[^\s\"',;]+"),
    # query parameters and JSON members with the name of a secret
    re.compile(r"(?i)\b((?:api[_-]?key|api[_-]?token|access[_-]?token|token|password|secret)=)[^\s&\"'<>]+"),
    re.compile(
        r"(?i)([\"'](?:api[_-]?key|api[_-]?token|access[_-]?token|token|password|secret)[\"']\s*:\s*[\"'])[^\"']+"
    ),
    re.compile(r"(://)[^/\s@]+(?=@)"),
)
_TAGS = re.compile(r"(?is)<(script|style).*?</\1>|<[^>]+>")
_MAX_LENGTH = 300


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with `[hidden]` in place of credentials.

    Hides the given secrets in every encoding that we send (plain, percent, Base64), and every value with the name or the
    form of a credential.
    """
    for secret in secrets:
        for form in {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()}:
            text = text.replace(form, _HIDDEN) if len(form) > 3 else text
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<1>{_HIDDEN}", text)
    return text


def is_json(body: bytes) -> bool:
    """Whether a body is complete JSON."""
    try:
        msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def vendor_message(body: bytes) -> str:
    """The vendor's message in an error body, on one line, at most 300 characters; empty when there is none.

    Reads the members `error`, `message`, `title`, `detail`, `errorMessages` and `errors` (a list, or messages by field) of
    a JSON body at any depth, and the text of an HTML page. The result may hold credentials: see `redact`.
    """
    try:
        content = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = _TAGS.sub(" ", body[:20_000].decode("utf-8", "replace"))
    else:
        text = "; ".join(dict.fromkeys(_messages(content)))
    text = " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1] + "…"


def _messages(content: Any) -> Iterable[str]:
    if isinstance(content, str):
        if content.strip():
            yield content.strip()
    elif isinstance(content, list):
        for item in content:
            yield from _messages(item)
    elif isinstance(content, dict):
        if "error" in content:
            yield from _messages(content["error"])
        for key in ("message", "title", "detail", "errorMessages"):
            yield from _messages(content.get(key))
        errors = content.get("errors")
        if isinstance(errors, dict):
            for name, messages in errors.items():
                yield f"{name}: {', '.join(_messages(messages))}"
        else:
            yield from _messages(errors)
