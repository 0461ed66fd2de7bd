"""The query string of a request, as `requests` builds it, but faster: the pages of a listing differ in one parameter. And the
query of the next page that a `Link` header names.

What does not belong here: sending (`http`), which parameters a vendor knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from requests.utils import parse_header_links

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]

_quoted = lru_cache(maxsize=1024)(quote_plus)


def query_string(params: Params) -> str:
    """The encoded names and values: a list gives one pair per element, None gives none."""
    pairs = params.items() if isinstance(params, Mapping) else params
    found = [
        (name, one)
        for name, value in pairs
        for one in ([value] if isinstance(value, str | bytes) or not isinstance(value, Iterable) else value)
        if one is not None
    ]
    return urlencode(found, quote_via=_quoted)


def next_page(headers: Mapping[str, str]) -> list[tuple[str, str]] | None:
    """The parameters of the page that the `Link` header announces with `rel="next"` (RFC 8288); None on the last page.

    Only the query is taken: the path stays the caller's, so that no header sends the credentials elsewhere.
    """
    for link in parse_header_links(headers.get("link", "")):
        if "next" in str(link.get("rel", "")).split():
            return parse_qsl(urlsplit(link["url"]).query, keep_blank_values=True)
    return None
