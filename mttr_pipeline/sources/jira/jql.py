"""JQL as text: a user's query combined with our own time bounds.

Instants are unquoted epoch milliseconds. A quoted date would be read in the account's time zone, and to the minute only.
What does not belong here: requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mttr_pipeline.sources.kit.windows import Window, epoch_ms

ORDER = "ORDER BY created ASC, key ASC"  # immutable, so that a change of an issue does not move it between pages
_PIECES = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\border\s+by\b", re.IGNORECASE)


def without_order(jql: str) -> str:
    """`jql` without its ORDER BY clause. The words inside a quoted string are not a clause."""
    for match in _PIECES.finditer(jql):
        if match[0][0] not in "\"'":
            return jql[: match.start()].strip()
    return jql.strip()


def quoted(text: str) -> str:
    """`text` as a JQL string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def created_in(window: Window, *, no_start: bool = False) -> str:
    """Created in `window`; with `no_start`, created before its end."""
    until = f"created < {epoch_ms(window.until)}"
    return until if no_start else f"created >= {epoch_ms(window.since)} AND {until}"


def combined(user: str, clauses: Iterable[str], *, ordered: bool = True) -> str:
    """The user's query in parentheses AND our clauses, ordered by creation."""
    user = without_order(user)
    text = " AND ".join([*([f"({user})"] if user else []), *clauses])
    return f"{text} {ORDER}" if ordered else text
