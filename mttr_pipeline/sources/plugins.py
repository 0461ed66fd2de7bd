"""Loads a source that another package ships, and checks what it declares.

What belongs here: everything that can be wrong with a declaration. What does not: which packages there are (`registry`), and the
SQL of the source (`warehouse.trial`).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from importlib import import_module
from importlib.metadata import EntryPoint
from inspect import signature
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from mttr_pipeline.config.accounts import is_reserved
from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.explain import explain
from mttr_pipeline.config.names import Words
from mttr_pipeline.config.options import Vocabulary
from mttr_pipeline.config.terms import FieldTarget
from mttr_pipeline.landing.store import NOT_PULLED
from mttr_pipeline.sources.kit.declare import YIELDS, Source

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PULLED_BY = ("check", "extract", "close")


class _Words(Vocabulary):
    field: Words[FieldTarget] = Field(default_factory=dict)


def load_source(entry: EntryPoint, package: str) -> Source:
    """The object that an entry point names. Raises ValueError with the reason when it is no source."""
    found = _silently("its module cannot be imported", entry.load)
    if not isinstance(found, Source):
        raise ValueError(f"{entry.value} is no mttr_pipeline source")
    return replace(found, package=package)


def check_declaration(source: Source, others: Iterable[Source]) -> None:
    """Raises ValueError with the reason when a declaration is wrong, or takes a name of one of the others."""
    _check_types(source)
    for name in (source.name, *source.also_yields):
        if not _NAME.fullmatch(name):
            raise ValueError(f"its name {name!r} is not lower case letters, digits and _")
    _check_names(source, list(others))
    if unknown := set(source.yields) - set(YIELDS):
        raise ValueError(f"it yields {', '.join(sorted(unknown))}, which nothing gathers; known: {', '.join(YIELDS)}")
    if not isinstance(source.sql, Path) or not any(source.sql.rglob("*.sql")):
        raise ValueError("it ships no SQL; the sql of its declaration must be the Path of a folder with SQL files")
    _check_settings(source)
    if source.connect is not None:
        _check_connect(source, source.connect)


def _silently(problem: str, call: Any, *arguments: Any) -> Any:
    """Call code of another package. What it prints is dropped, because a program may read the output of `mttr`.

    Raises ValueError with the problem and what the code raised, SystemExit included.
    """
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return call(*arguments)
    except (Exception, SystemExit) as error:
        said = str(error).strip().splitlines()
        raise ValueError(f"{problem} ({': '.join([type(error).__name__, *said[:1]])})") from error


def _check_types(source: Source) -> None:
    """That each part of the declaration has the type that `Source` says."""
    try:
        TypeAdapter(Source).validate_python(dict(vars(source)))
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"]))
        raise ValueError(f"{where} in its declaration: {found['msg'].replace('Input should', 'must')}") from error


def _check_names(source: Source, others: list[Source]) -> None:
    """That no other source has its names, its environment variables or the facts that it counts."""
    taken = set(NOT_PULLED).union(*(other.record_sources(other.name) for other in others))
    for name in source.record_sources(source.name):
        if name in taken or is_reserved(name):
            raise ValueError(f"the name {name} is taken")
    variables = {Environment({}, other.name).variable(suffix) for other in others for suffix in other.suffixes()}
    if twice := variables.intersection(Environment({}, source.name).variable(name) for name in source.suffixes()):
        raise ValueError(f"the environment variable {min(twice)} is taken")
    facts = {fact for other in others for fact in other.findings}
    if twice := facts.intersection(source.findings):
        raise ValueError(f"the finding {min(twice)} is taken")


def _check_settings(source: Source) -> None:
    """That its settings have defaults, that its words have meanings, and that missing credentials are no error."""
    try:
        source.options()
    except ValidationError as error:
        raise ValueError(f"its setting {error.errors()[0]['loc'][0]} has no valid default") from error
    try:
        _Words.model_validate(source.words)
    except ValidationError as error:
        raise ValueError(f"its words are wrong: {explain(error, _Words)}") from error
    _silently("its credentials cannot be read", source.access, Environment({}, source.name))


def _check_connect(source: Source, connect: str) -> None:
    """That `connect` names something that can pull an account."""
    module, _, name = connect.partition(":")
    pulled_by = _silently(f"connect = {connect!r} names nothing", lambda: getattr(import_module(module), name))
    if missing := [method for method in _PULLED_BY if not callable(getattr(pulled_by, method, None))]:
        raise ValueError(f"connect = {connect!r} names an object without {', '.join(missing)}")
    _silently(
        f"connect = {connect!r} is not called as Class(name, access, options, variables=...)",
        lambda: signature(pulled_by).bind("", None, None, variables=None),
    )
