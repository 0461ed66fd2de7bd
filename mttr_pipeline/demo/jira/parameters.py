"""What a request to Jira carries: parameters, lists of names, page sizes and page tokens; and how Jira refuses it."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from mttr_pipeline.demo.facts import identifier
from mttr_pipeline.demo.jira.site import Json
from mttr_pipeline.demo.kit.wire import Request, encode


class JiraError(Exception):
    """A refusal with Jira's list of messages."""

    def __init__(self, status: int, *messages: str) -> None:
        super().__init__(*messages)
        self.status, self.messages = status, list(messages)


def parameters(request: Request) -> Json:
    """The parameters of a search, from the query or the body."""
    if request.method == "POST":
        body = request.json()
        if not isinstance(body, dict):
            raise JiraError(400, "Invalid request payload. Refer to the REST API documentation and try again.")
        return body
    repeated = {"fields", "expand"}
    return {name: values if name in repeated else values[-1] for name, values in request.query.items()}


def names_of(value: Any) -> list[str]:
    """A list of names, given as a list, comma separated, or both."""
    texts = [value] if isinstance(value, str) else value or []
    return [name.strip() for text in texts for name in str(text).split(",") if name.strip()]


def size_of(value: Any, default: int) -> int:
    """A page size or start; anything but a number from 0 up raises JiraError."""
    if value is None or value == "":
        return default
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise JiraError(400, f"'{value}' is not a number.") from None
    if number < 0:
        raise JiraError(400, "Paging parameters must not be negative.")
    return number


def write_token(start: int, query: str) -> str:
    """An opaque page token that is valid for one query only."""
    return base64.urlsafe_b64encode(encode([start, _hash(query)])).decode()


def read_token(token: Any, query: str) -> int:
    """The start of the page that a token means; a token of another query raises JiraError."""
    if not token:
        return 0
    try:
        start, owner = msgspec.json.decode(base64.urlsafe_b64decode(str(token)))
    except (ValueError, TypeError, msgspec.DecodeError):
        raise JiraError(400, "The provided next page token is invalid.") from None
    if owner != _hash(query):
        raise JiraError(400, "The provided next page token is invalid.")
    return int(start)


def _hash(text: str) -> str:
    return identifier(text)[:12]
