"""Which services and teams have a page of their own, and what its file is called.

A name may hold anything: slashes, dots, an empty text, another case of a second name. A file name here is made of small ASCII
letters, digits and hyphens only, so that it is the same file on every file system and needs no escaping in a link. Whatever
that changes about a name is made up for by a part of the name's hash. It depends on the name alone: links stay as they are.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from mttr_pipeline.reports.document import Document

#: Dimension -> what several of its members are called.
DIMENSIONS = {"service": "services", "team": "teams"}
DIMENSIONS_AND_SEVERITY = DIMENSIONS | {"severity": "severities"}
MORE_THAN = 20  # members; up to here the main page shows them all well enough
MOST_PAGES = 5_000  # of one dimension
_LONGEST = 60
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}  # by Windows


def with_pages(comparisons: Document, most: int = MOST_PAGES) -> dict[str, dict[str, str]]:
    """Dimension -> member -> path of its page in the generation; no members where a dimension has too few of them.

    Beyond `most`, those with the most incidents have a page.
    """
    found = {}
    for dimension in DIMENSIONS:
        counts = {
            row["scope_value"]: row["incidents_matched"]
            for row in comparisons[dimension]
            if row["window_start"] is None
        }
        chosen = sorted(counts, key=lambda name: (-counts[name], name))[:most]
        slugs = slugs_of(chosen) if len(counts) > MORE_THAN else {}
        found[dimension] = {name: f"report/{dimension}/{slugs[name]}.html" for name in sorted(slugs)}
    return found


def slugs_of(names: Iterable[str]) -> dict[str, str]:
    """Name -> file name without suffix, no two alike."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names, key=lambda name: (slug(name) != name, name)):
        length = 8
        while (text := slug(name, length)) in taken:  # a name that looks like the hash of another one
            length += 8
        found[name] = text
        taken.add(text)
    return found


def slug(name: str, length: int = 8) -> str:
    """The name itself where it is a safe file name, else what is safe of it and so many digits of its hash."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    safe = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST].strip("-")
    if safe and safe == name and name not in _RESERVED and length == 8:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:length]
    return f"{safe}-{digest}" if safe else digest
