"""Turn a vendor's response into text that is safe to show: the messages in error bodies, without what `hidden` hides.

What does not belong here: what the user can do about it (`failures`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from mttr_pipeline.hidden import MOST, one_line, redact, without_addresses

_TAGS = re.compile(r"(?is)<(script|style).*?</\1>|<[^>]+>")
_MAX_LENGTH = 300


def is_json(body: bytes) -> bool:
    """Whether a body is complete JSON."""
    try:
        msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def vendor_message(body: bytes, secrets: Iterable[str] = ()) -> str:
    """The vendor's message in an error body, on one line, at most 300 characters; empty when there is none.

    Reads the members `error`, `message`, `title`, `detail`, `errorMessages` and `errors` (a list, or messages by field) of
    a JSON body at any depth, and the text of an HTML page. Credentials and e-mail addresses are taken out before it is cut.
    """
    try:
        text = "; ".join(dict.fromkeys(_messages(msgspec.json.decode(body))))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = body[: 4 * MOST].decode("utf-8", "replace")
        text = _TAGS.sub(" ", redact(text, secrets))  # before and after: a tag may stand in the middle of a secret
    text = safe_to_show(text, secrets)
    text = " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1] + "…"


def safe_to_show(text: str, secrets: Iterable[str] = ()) -> str:
    """A text with words of a vendor: without credentials, e-mail addresses and what would steer a terminal."""
    return without_addresses(redact(one_line(text), secrets))


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
