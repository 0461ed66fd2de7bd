"""What the message of a commit says in one line.

A merge of a pull or merge request says first which branch it merges; the title of the request, which names what it repairs, stands
below that. The other lines are not taken: they are long, and have the names and addresses of people.
"""

from __future__ import annotations

import re

_MERGE = re.compile(r"Merge pull request #\d|Merge branch '|Merged in ")
#: What may stand below instead: a person, a reference, a comment.
_NO_TITLE = re.compile(r"(?i)[a-z-]+-by:|see merge request |closes |#|.*<[^<>]*@[^<>]*>")


def headline(message: str) -> str:
    """The first line of a message, and of a merge the title of its request after a colon; empty where there is none."""
    first, *rest = [line.strip() for line in message.strip().splitlines() if line.strip()] or [""]
    if rest and _MERGE.match(first) and not _NO_TITLE.match(rest[0]):
        return f"{first}: {rest[0]}"
    return first
