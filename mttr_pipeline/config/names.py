"""Names that a person writes into `mttr.toml`. Capitals and blanks around a name make no difference when it is compared, as
in the SQL; so two that differ in nothing else are one, and a join would find both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, TypeVar

from pydantic import AfterValidator

T = TypeVar("T")


def folded(name: str) -> str:
    """A name as it is compared."""
    return name.strip().lower()


def distinct(given: dict[str, T], fold: Callable[[str], str] = folded) -> dict[str, T]:
    """The table as it is. ValueError when a name in it is blank, or when two are one."""
    first: dict[str, str] = {}
    for name in given:
        if not name.strip():
            raise ValueError("a name in this table is blank; write one or take it out")
        if (other := first.setdefault(fold(name), name)) != name:
            raise ValueError(f"{other!r} and {name!r} are one name; keep one of them")
    return given


def owners(aliases: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Every name of every service, folded, and whose it is. ValueError when two services claim one."""
    found = {folded(service): service for service in distinct(dict(aliases))}
    for service, names in aliases.items():
        for name in names:
            if (owner := found.setdefault(folded(name), service)) != service:
                raise ValueError(
                    f"the alias {name!r} of {service!r} is a name of {owner!r} too; a name stands for one service, "
                    "so keep it in one of them"
                )
    return found


def _trimmed(given: dict[str, T]) -> dict[str, T]:
    return {name.strip(): value for name, value in distinct(given, str.strip).items()}


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank; write a text or take it out")
    return text


#: A text in which blanks at the ends may mean something.
Text = Annotated[str, AfterValidator(_filled)]
Name = Annotated[Text, AfterValidator(str.strip)]
#: A table whose keys are names.
Named = Annotated[dict[str, T], AfterValidator(distinct)]
#: The same, by service. One that is not configured is its incidents' own word for it, capitals and all.
ByService = Annotated[dict[str, T], AfterValidator(_trimmed)]
