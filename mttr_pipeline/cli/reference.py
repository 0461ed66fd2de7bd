"""Tables of the documentation that are written from what the sources declare.

    python -m mttr_pipeline.cli.reference docs/configuration.md

A page marks the place of a table by `<!-- generated: NAME -->` before it and `<!-- end -->` after it; BLOCKS has the names. Sources
of other packages are left out. What does not belong here: tables of SQL files, which `warehouse.reference` writes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from mttr_pipeline.config.alert_places import PREFIX, VARIABLES
from mttr_pipeline.config.environment import OF_FILE, Environment
from mttr_pipeline.config.imports import ImportPreset
from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.config.vocabulary import HOUSE
from mttr_pipeline.intake.presets import house_presets
from mttr_pipeline.sources.kit.declare import Source
from mttr_pipeline.sources.registry import registry

_BLOCK = re.compile(r"(?<=<!-- generated: )(?P<name>[a-z ]+)(?P<mark> -->\n).*?(?=<!-- end -->)", re.DOTALL)


def updated(page: str) -> str:
    """The text of a page with its generated tables written anew. Raises KeyError for a mark with an unknown name."""
    return _BLOCK.sub(lambda match: match["name"] + match["mark"] + BLOCKS[match["name"]](), page)


def sources() -> str:
    """Every source: where its records come from, what they are called, what its SQL yields."""
    rows = []
    for source in _own():
        ways = [f"pulled with {_as_code(source.credentials_of(source.name))}"] if source.pulled else []
        ways += [f"{source.webhook.noun}s received in the inbox"] if source.webhook else []
        names = _codes(source.record_sources(source.name))
        rows.append([_code(source.name), source.title, "; ".join(ways) or "imported", names, ", ".join(source.yields)])
    return _table(["source", "system", "where its records come from", "`source` of its records", "yields"], rows)


def environment() -> str:
    """Every environment variable of the sources."""
    return _table(["variable", "meaning"], [[_code(name), meaning] for name, meaning in variables().items()])


def variables() -> dict[str, str]:
    """Environment variable -> meaning, for one account of every source."""
    found: dict[str, str] = {}
    for source in _own():
        names = Environment({}, source.name)
        found |= {names.variable(variable.suffix): variable.meaning for variable in source.variables}
        if source.webhook and source.webhook.signature:
            found[names.variable(source.webhook.secret)] = (
                f"secret of the [signatures](received-events.md#signatures) of webhook bodies from {source.title}. "
                "Without it, signatures are not checked"
            )
        found |= {
            names.variable(secret + OF_FILE): f"path of a file that holds `{names.variable(secret)}`, instead of it"
            for secret in source.secrets()
        }
    return found


def alert_places() -> str:
    """Every environment variable of the places that alerts go to."""
    names = Environment({}, PREFIX)
    rows = {names.variable(suffix): meaning for suffix, meaning in VARIABLES.items()}
    rows |= {name + OF_FILE: f"path of a file that holds `{name}`, instead of it" for name in rows}
    return _table(["variable", "meaning"], [[_code(name), meaning] for name, meaning in rows.items()])


def settings() -> str:
    """The keys that every `[sources.<name>]` has."""
    fields = SourceOptions.model_fields.items()
    return _table(
        ["key", "default", "meaning"], [[_code(name), _default(f), f.description or ""] for name, f in fields]
    )


def own_settings() -> str:
    """The keys that single sources have, and common keys with a default of their own."""
    common = SourceOptions.model_fields
    rows: dict[tuple[str, str, str], list[str]] = {}
    for source in _own():
        for name, field in source.options.model_fields.items():
            if name not in common or field.default != common[name].default:
                described = field if field.description else common.get(name, field)
                rows.setdefault((name, _default(field), described.description or ""), []).append(source.name)
    return _table(
        ["key", "sources", "default", "meaning"],
        [[_code(key), ", ".join(names), default, meaning] for (key, default, meaning), names in sorted(rows.items())],
    )


def meanings() -> str:
    """The tables of words: which sources have them, and what a word may mean."""
    found: dict[str, tuple[list[str], Sequence[str]]] = {}
    for source in _own():
        for table in source.options.word_tables().values():
            allowed = get_args(get_args(source.options.model_fields[table].annotation)[1])
            found.setdefault(table, ([], allowed))[0].append(source.name)
    return _table(
        ["table", "sources", "a word means one of"],
        [[_code(table), ", ".join(names), _codes(allowed)] for table, (names, allowed) in found.items()],
    )


def words() -> str:
    """The default words of every source."""
    rows = [["every source", _code(kind), _grouped(given)] for kind, given in HOUSE.items()]
    for source in _own():
        tables = source.options.word_tables()
        rows += [[source.name, _code(tables.get(kind, kind)), _grouped(given)] for kind, given in source.words.items()]
    return _table(["source", "table", "default words"], rows)


def import_settings() -> str:
    """The keys of `[imports.<name>]`."""
    rows = [
        [_code(name), "required" if field.is_required() else _default(field), field.description or ""]
        for name, field in ImportPreset.model_fields.items()
    ]
    return _table(["key", "default", "meaning"], rows)


def presets() -> str:
    """The presets that are there already."""
    return _table(
        ["preset", "reads", "its records go to"],
        [[_code(name), found.description, _code(found.lands)] for name, found in house_presets().items()],
    )


BLOCKS: Mapping[str, Callable[[], str]] = {
    "sources": sources,
    "environment": environment,
    "alert places": alert_places,
    "settings": settings,
    "own settings": own_settings,
    "meanings": meanings,
    "words": words,
    "import settings": import_settings,
    "presets": presets,
}


def _own() -> Iterator[Source]:
    return (source for source in registry().sources.values() if not source.third_party)


def _default(field: FieldInfo) -> str:
    """The default of a key as TOML has it."""
    value = field.get_default(call_default_factory=True)
    if value is None or value in ({}, ()):
        return "none"
    return _code(json.dumps(value, ensure_ascii=False).replace("|", "\\|"))  # in a table, also within code


def _grouped(given: Mapping[str, str]) -> str:
    """Words by meaning, in the order of their first word."""
    groups: dict[str, list[str]] = {}
    for word, meaning in given.items():
        groups.setdefault(meaning, []).append(word)
    return "; ".join(f"{', '.join(group)} -> {_code(meaning)}" for meaning, group in groups.items())


def _code(text: str) -> str:
    return f"`{text}`"


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(map(_code, texts))


def _as_code(text: str) -> str:
    """The names of variables in a sentence as code."""
    return re.sub(r"\b[A-Z0-9]+(?:_[A-Z0-9]+)+\b", lambda match: _code(match[0]), text)


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = (f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))
    return f"\n{''.join(lines)}\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")
