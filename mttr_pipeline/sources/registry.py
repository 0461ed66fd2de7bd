"""Finds the sources: those of this package, one folder each, and those that other packages ship.

A package ships a source by an entry point of the group `mttr_pipeline.sources` that names its `Source` object:

    [project.entry-points."mttr_pipeline.sources"]
    toy = "mttr_toy:SOURCE"

One that cannot be used is left out with a sentence in `problems`; the others work.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import mttr_pipeline.sources as rooms
from mttr_pipeline.config.settings import Settings, load
from mttr_pipeline.errors import first_line
from mttr_pipeline.sources.kit.declare import Source, unusable
from mttr_pipeline.sources.plugins import check_declaration, load_source

GROUP = "mttr_pipeline.sources"


@dataclass(frozen=True)
class Registry:
    """Every source by name, in alphabetical order, and why others are left out: name -> sentence.

    `left_out` are the names of those others: what `mttr.toml` says of them is not read.
    """

    sources: Mapping[str, Source]
    problems: Mapping[str, str]
    left_out: frozenset[str]


@cache
def registry() -> Registry:
    """The sources of this installation."""
    found = {source.name: source for source in _own()}
    problems: dict[str, str] = {}
    left_out: set[str] = set()
    for package, entry in _entries():
        name = entry.name
        try:
            source = load_source(entry, package)
            name = source.name if isinstance(source.name, str) else name
            check_declaration(source, found.values())
        except Exception as error:  # code of another package may raise anything; the other sources work
            key = f"{name} of {package}" if name in found or name in problems else name
            problems[key] = unusable(name, package, first_line(error))
            left_out |= {entry.name, name}
        else:
            found[name] = source
    return Registry(dict(sorted(found.items())), problems, frozenset(left_out - found.keys()))


def load_settings(
    env: Mapping[str, str] | None = None, *, data_dir: str | Path | None = None, config: str | Path | None = None
) -> Settings:
    """The settings of a run with the sources of this installation; see `config.settings.load`."""
    here = registry()
    return load(here.sources, env, data_dir=data_dir, config=config, ignored=here.left_out)


def _own() -> list[Source]:
    names = [module.name for module in pkgutil.iter_modules(rooms.__path__) if module.ispkg and module.name != "kit"]
    return [import_module(f"{rooms.__name__}.{name}").SOURCE for name in names]


def _entries() -> list[tuple[str, EntryPoint]]:
    """Package and entry point of every source that another package ships, in an order that does not depend on the installation."""
    found = [(entry.dist.name if entry.dist else entry.value, entry) for entry in entry_points(group=GROUP)]
    return sorted(found, key=lambda pair: (pair[1].name, pair[0], pair[1].value))
