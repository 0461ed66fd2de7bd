"""Names and words that people write into `mttr.toml`, and the rule by which they are compared.

One rule, `normalize`, compares a *name* (a service, a team) and a *word* (a vendor's severity, status, resolution, type or field).
Two keys of one table that are the same by it are an error, because a join would find both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, TypeVar

from pydantic import AfterValidator

T = TypeVar("T")

_IGNORED = re.compile(r"[\s_-]+")


@lru_cache(maxsize=8192)  # the same few words, again and again
def normalize(word: str) -> str:
    """A name or word as it is compared: Unicode NFKC, no capitals, no white space, no `-`, no `_`.

    `SEV-1`, `sev 1` and `Sev_1` are one word. A word that has nothing else keeps its `-` and `_`. The SQL macro `normalized`
    calls this function for every text that it cannot compare itself.
    """
    plain = unicodedata.normalize("NFKC", word).casefold()
    compared = _IGNORED.sub("", plain) or plain.strip()
    return unicodedata.normalize("NFKC", compared)  # casefold and the removal may leave letters decomposed


def distinct(given: dict[str, T]) -> dict[str, T]:
    """The table as it is. ValueError when a key is blank, or when two keys are one name."""
    first: dict[str, str] = {}
    for name in given:
        if not name.strip():
            raise ValueError("a name in this table is blank; write one or take it out")
        if (other := first.setdefault(normalize(name), name)) != name:
            raise ValueError(f"{other!r} and {name!r} are one name; keep one of them")
    return given


def owners(aliases: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Every name of every service, as it is compared, and its service. ValueError when two services claim one name."""
    found = {normalize(service): service for service in distinct(dict(aliases))}
    for service, names in aliases.items():
        for name in names:
            if (owner := found.setdefault(normalize(name), service)) != service:
                raise ValueError(
                    f"the alias {name!r} of {service!r} is a name of {owner!r} too; a name stands for one service, "
                    "so keep it in one of them"
                )
    return found


def _words(given: dict[str, T]) -> dict[str, T]:
    for word in given:
        if normalize(word) == "*":
            raise ValueError(f"{word!r} stands for every name; write how the names begin, like 'Waiting for *'")
    return distinct(given)


def _trimmed(given: dict[str, T]) -> dict[str, T]:
    return {name.strip(): value for name, value in distinct(given).items()}


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank; write a text or take it out")
    return text


#: A text in which blanks at the ends may mean something.
Text = Annotated[str, AfterValidator(_filled)]
Name = Annotated[Text, AfterValidator(str.strip)]
#: A table whose keys are words of a vendor.
Words = Annotated[dict[str, T], AfterValidator(_words)]
#: A table by service. A service that is not configured goes by its incidents' own spelling.
ByService = Annotated[dict[str, T], AfterValidator(_trimmed)]
