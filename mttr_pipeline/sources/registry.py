"""Finds the sources: those of this package, one folder each, and those that other packages ship.

A package ships a source by an entry point of the group `mttr_pipeline.sources` that names its `Source` object:

    [project.entry-points."mttr_pipeline.sources"]
    toy = "mttr_toy:SOURCE"

One that cannot be used is left out with a sentence in `problems`; the others work.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import mttr_pipeline.sources as rooms
from mttr_pipeline.config.settings import Settings, load
from mttr_pipeline.sources.kit.declare import YIELDS, Source

GROUP = "mttr_pipeline.sources"


@dataclass(frozen=True)
class Registry:
    """Every source by name, in alphabetical order, and why others are left out: name -> sentence."""

    sources: Mapping[str, Source]
    problems: Mapping[str, str]


@cache
def registry() -> Registry:
    """The sources of this installation."""
    found = {source.name: source for source in _own()}
    problems: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        package = entry.dist.name if entry.dist else entry.value
        try:
            source = _third_party(entry, package)
            taken = {name for other in found.values() for name in other.record_sources(other.name)}
            if twice := taken.intersection(source.record_sources(source.name)):
                raise ValueError(f"the name {min(twice)} is taken")
            found[source.name] = source
        except Exception as error:  # whatever a stranger's module raises, the other sources work
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            problems[entry.name] = f"The source {entry.name} of the package {package} cannot be used: {reason}."
    return Registry(dict(sorted(found.items())), problems)


def load_settings(
    env: Mapping[str, str] | None = None, *, data_dir: str | Path | None = None, config: str | Path | None = None
) -> Settings:
    """The settings of a run with the sources of this installation; see `config.settings.load`."""
    here = registry()
    return load(here.sources, env, data_dir=data_dir, config=config, ignored=here.problems)


def _own() -> list[Source]:
    names = [module.name for module in pkgutil.iter_modules(rooms.__path__) if module.ispkg and module.name != "kit"]
    return [import_module(f"{rooms.__name__}.{name}").SOURCE for name in names]


def _third_party(entry: EntryPoint, package: str) -> Source:
    """The source of an entry point. Raises ValueError, or whatever its module raises, when it cannot be one."""
    source = entry.load()
    if not isinstance(source, Source):
        raise ValueError(f"{entry.value} is no mttr_pipeline source")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", source.name):
        raise ValueError(f"its name {source.name!r} is not lower case letters, digits and _")
    if unknown := set(source.yields) - set(YIELDS):
        raise ValueError(f"it yields {', '.join(sorted(unknown))}, which nothing gathers; known: {', '.join(YIELDS)}")
    if source.sql is None or not any(source.sql.rglob("*.sql")):
        raise ValueError("it ships no SQL")
    return replace(source, package=package)
