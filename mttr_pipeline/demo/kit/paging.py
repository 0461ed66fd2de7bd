"""How a vendor's lists go on from page to page: what the faults need to know to disturb a list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from mttr_pipeline.demo.kit.wire import Request


class Paging:
    """Lists inside a JSON object, paged by an offset in the query. A vendor whose lists differ overrides what differs."""

    #: The query parameter with the position of the first row of a page.
    offset = "offset"

    def rows(self, body: Any) -> list[Any] | None:
        """The list of records in a decoded answer; None when there is none."""
        if not isinstance(body, dict):
            return None
        lists = [value for value in body.values() if isinstance(value, list)]
        return max(lists, key=len) if lists else None

    def token(self, request: Request) -> str | None:
        """The page token that a request carries; None when it carries none."""
        return None

    def with_token(self, request: Request, token: str) -> Request:
        """The same request with another page token; an empty one asks for the first page."""
        return request

    def announce_next(self, body: Any, token: str) -> bool:
        """Change a decoded answer so that it promises another page, at `token` where pages have tokens.

        Returns whether the answer promises one now.
        """
        return False

    def shifted(self, request: Request, rows: int) -> Request | None:
        """The same request for a page that begins `rows` later; None when it asks for no page after the first."""
        text = request.one(self.offset) or ""
        if not text.isdigit() or int(text) == 0:
            return None
        query = request.query | {self.offset: [str(max(0, int(text) + rows))]}
        return replace(request, query_string=urlencode(query, doseq=True))
