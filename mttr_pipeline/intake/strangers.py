"""Bodies and records of systems that are not read as they are: whose they are, told by their shape.

The shapes stand in `sql/import/senders.toml`. What does not belong here: senders that a source reads (`received` asks those).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from mttr_pipeline.config.places import sql_folder


@dataclass(frozen=True)
class Stranger:
    """A shape: whose it is called, the members that all of its bodies have, and what to do instead (empty: nothing is known)."""

    name: str
    has: tuple[str, ...]
    advice: str = ""


@cache
def strangers() -> tuple[Stranger, ...]:
    """Every shape, in the order in which they are tried."""
    content = tomllib.loads((sql_folder() / "import" / "senders.toml").read_text(encoding="utf-8"))
    return tuple(Stranger(s["name"], tuple(s["has"]), s.get("advice", "")) for s in content["sender"])


def whose(record: bytes) -> Stranger | None:
    """The shape that a record has; None for none that is known. The record is one JSON object."""
    try:
        content = json.loads(record, parse_int=str)  # as text: Python refuses numbers of 4,300 digits
    except (ValueError, RecursionError):
        return None
    return next((s for s in strangers() if all(has(content, path) for path in s.has)), None)


def has(content: Any, paths: str) -> bool:
    """Whether one of the paths, joined by `|`, leads to a member, whatever its value."""
    named = content if isinstance(content, Mapping) else {}
    return any(path in named or _leads(content, path.split(".")) for path in paths.split("|"))


def _leads(content: Any, path: list[str]) -> bool:
    for name in path:
        if isinstance(content, list) and content:
            content = content[0]
        if not isinstance(content, Mapping) or name not in content:
            return False
        content = content[name]
    return True
