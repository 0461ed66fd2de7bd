"""The query string of a request, as `requests` builds it, but faster: the pages of a listing differ in one parameter.

What does not belong here: sending (`http`), which parameters a vendor knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, urlencode

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
