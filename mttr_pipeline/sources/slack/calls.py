"""The Web API: an answer says by `ok`, not by its HTTP status, whether it is one, and lists go on by a cursor alone.

What belongs here: how Slack speaks (docs.slack.dev: Web API, pagination, rate limits). What does not: which channels are read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mttr_pipeline.errors import PermanentError
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.outcomes import Answer, Retry
from mttr_pipeline.sources.kit.paging import TokenExpired, read_by_token

PER_PAGE = 200  # what Slack recommends
RESTRICTED_ROWS = 15  # the most that an app gets that is distributed and not approved
_SILENT = 30.0  # seconds until the next try, where the refusal of a rate says nothing

#: Errors that pass (docs.slack.dev, common errors of all methods).
TRANSIENT = {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
_OF_THE_TOKEN = {
    *("not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired"),
    *("no_permission", "org_login_required", "ekm_access_denied", "access_denied", "not_allowed_token_type"),
}


class SlackRefused(PermanentError):
    """An answer that says `ok: false`. `error` is Slack's word for it, `needed` the scopes that are missing."""

    def __init__(self, message: str, error: str, needed: str = "") -> None:
        super().__init__(message)
        self.error, self.needed = error, needed


class ListPage(NamedTuple):
    """One page: the rows as sent, and the cursor of the next page; None: this is the last, however few rows it has."""

    rows: list[bytes]
    following: str | None


class Pages:
    """What the pages of messages look like: an app that Slack restricts gets 15 rows a page, whatever it asks for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sizes: list[int] = []  # of pages that are not the last
        self._most = 0

    def note(self, page: ListPage) -> None:
        """A page of messages came."""
        with self._lock:
            self._most = max(self._most, len(page.rows))
            if page.following:
                self._sizes.append(len(page.rows))

    @property
    def are_restricted(self) -> bool:
        """Whether every page that goes on has exactly the rows of a restricted app."""
        with self._lock:
            return self._most <= RESTRICTED_ROWS and bool(self._sizes) and set(self._sizes) == {RESTRICTED_ROWS}


class Web:
    """The methods of one workspace. `token_variable` names where the token comes from, for messages."""

    def __init__(self, client: HttpClient, token_variable: str) -> None:
        self.client = client
        self._token_variable = token_variable
        self.pages = Pages()

    def fetch(self, method: str, params: Mapping[str, Any] | None = None) -> Answer[dict[str, bytes]]:
        """The members of an answer, each as sent. Raises SlackRefused for `ok: false`, and what `HttpClient.fetch` raises."""
        return self.client.fetch(f"/{method}", params, parse=lambda body: self._members(method, body))

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, bytes]:
        """The same without the headers."""
        return self.fetch(method, params).value or {}

    def page(self, method: str, name: str, params: Mapping[str, Any], cursor: str | None = None) -> ListPage:
        """One page of the list `name`. Raises TokenExpired for a cursor that Slack does not know any more."""
        try:
            found = self.call(method, {"limit": PER_PAGE, **params, "cursor": cursor})
        except SlackRefused as error:
            if error.error == "invalid_cursor" and cursor:
                raise TokenExpired(str(error)) from error
            raise
        metadata = found.get("response_metadata", b"{}")
        following = envelope.members(metadata).get("next_cursor") if metadata.startswith(b"{") else None
        return ListPage(envelope.items(envelope.required(found, name)), envelope.decode_text(following))

    def read(
        self, method: str, name: str, params: Mapping[str, Any], write: Callable[[Sequence[bytes]], object]
    ) -> None:
        """Read a list to its end, each row once. Raises what `page` and `read_by_token` raise."""

        def page(cursor: str | None) -> tuple[list[bytes], str | None]:
            found = self.page(method, name, params, cursor)
            if name == "messages":
                self.pages.note(found)
            return found

        read_by_token(page, write)

    def _members(self, method: str, body: bytes) -> dict[str, bytes]:
        found = envelope.members(body)
        if envelope.decode(envelope.required(found, "ok")) is True:
            return found
        error = envelope.decode_text(found.get("error")) or "it does not say why"
        if error in ("ratelimited", "rate_limited"):
            raise Retry(error, 429, wait=_SILENT, granted=_SILENT)
        if error in TRANSIENT:
            raise Retry(error, 200)
        needed = envelope.decode_text(found.get("needed")) or ""
        raise SlackRefused(
            f"{self.client.title}: {self.client.host} refused {method} ({error}{f', needed: {needed}' if needed else ''}); "
            f"{self._remedy(error, needed)}.",
            error,
            needed,
        )

    def _remedy(self, error: str, needed: str) -> str:
        if error == "missing_scope":
            return f"add the scope {needed or 'that is missing'} to the app, and install it again"
        if error in _OF_THE_TOKEN:
            return f"check {self._token_variable}"
        if error in ("not_in_channel", "channel_not_found"):
            return "invite the app to the channel"
        return "nothing was changed; report this if it happens again"
