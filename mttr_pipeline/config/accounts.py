"""Which accounts a configuration has: one of each source, and those that `[sources.<name>] kind = "<source>"` adds.

What belongs here: what an account may be called and what two accounts may not share. What does not: the settings of an account.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import SecretStr

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.errors import ConfigError

#: The name is a folder, the beginning of table names and, in capitals, of environment variables.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
#: Names that mean something else: the landing folder of received bodies, two folders of the inbox, and what data quality calls a
#: finding about mttr.toml.
RESERVED = ("inbox", "taken", "refused", "configuration")
#: First words of the program's own variables: ALERT_WEBHOOK_SECRET says where alerts go, and an account `alert` would read it too.
PREFIXES = ("alert", "mttr")


class Declared(Protocol):
    """What the settings ask of a source's declaration (`sources.kit.declare.Source`)."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def options(self) -> type[SourceOptions]: ...
    @property
    def words(self) -> Mapping[str, Mapping[str, str]]: ...
    @property
    def third_party(self) -> bool: ...
    @property
    def has_accounts(self) -> bool:
        """Whether records can reach a second account of it."""
        ...

    def suffixes(self) -> Sequence[str]:
        """Of the environment variables of one account."""
        ...

    def record_sources(self, account: str) -> Sequence[str]:
        """The values of the published column `source` that records of this account carry."""
        ...

    def access(self, environment: Environment) -> Any | None:
        """Credentials and addresses; None when they are not set. Raises ConfigError when they are incomplete."""
        ...

    def signing_key(self, environment: Environment) -> SecretStr | None:
        """What the signatures of received bodies are checked with."""
        ...


def account_kinds(content: Mapping[str, Any], sources: Mapping[str, Declared], where: str) -> dict[str, str]:
    """Account -> source, of every account: the sources themselves, then those that `[sources.<name>] kind = ...` adds.

    `content` is that of an `mttr.toml`, `where` names it in errors. Raises ConfigError for a name that is taken or cannot be one,
    an unknown or missing kind, and variables that two accounts share.
    """
    kinds = {name: name for name in sources}
    tables = content.get("sources")
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if not isinstance(table, dict) or (name in sources and table.get("kind", name) == name):
            continue  # what is no table is refused with the rest of the file
        kinds[name] = _kind(name, table.get("kind"), sources, where)
    _refuse_shared(kinds, sources, where)
    return kinds


def _kind(name: str, kind: Any, sources: Mapping[str, Declared], where: str) -> str:
    """The source of an added account."""
    key = f"{where}: 'sources.{name}"
    with_accounts = [source for source in sources if sources[source].has_accounts]
    if kind is None:
        meant = next((source for source in with_accounts if name.startswith(source)), with_accounts[0])
        raise ConfigError(
            f"{key}': there is no source {name!r} (known: {', '.join(sources)}); correct the name, or name the source "
            f'that it is an account of, like kind = "{meant}".'
        )
    if kind not in list(sources):  # a list: the value may be anything that TOML knows
        raise ConfigError(f"{key}.kind': there is no source {kind!r}; use one of {', '.join(with_accounts)}.")
    if not sources[kind].has_accounts:
        raise ConfigError(
            f"{key}.kind': {kind} has no accounts, its records are imported; use one of {', '.join(with_accounts)}."
        )
    if name in sources:
        raise ConfigError(f"{key}.kind': {name} is a source itself; choose another name for an account of {kind}.")
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{key}': the name of an account is a letter and up to 39 more letters, digits and _, all lower case; "
            f"{name!r} is not."
        )
    if is_reserved(name):
        raise ConfigError(f"{key}': the name {name} is reserved; choose another name, such as {kind}_{name}.")
    return str(kind)


def is_reserved(name: str) -> bool:
    """Whether an account or a source cannot have this name, because it means something else."""
    return name in RESERVED or name.partition("_")[0] in PREFIXES


def _refuse_shared(kinds: Mapping[str, str], sources: Mapping[str, Declared], where: str) -> None:
    """Raises ConfigError when two accounts share a value of the column `source`, or an environment variable."""
    emitted = Counter(found for name, kind in kinds.items() for found in sources[kind].record_sources(name))
    owners: dict[str, str] = {}
    for name, kind in kinds.items():  # the sources themselves come first
        added = name != kind
        if added and (twice := [found for found in sources[kind].record_sources(name) if emitted[found] > 1]):
            raise ConfigError(
                f"{where}: 'sources.{name}': the source name {twice[0]} is taken; choose another name for the account."
            )
        for suffix in sources[kind].suffixes():
            variable = Environment({}, name).variable(suffix)
            if (other := owners.setdefault(variable, name)) != name and added:
                raise ConfigError(
                    f"{where}: 'sources.{name}': {name} and {other} would both read the variable {variable}; choose another "
                    "name for the account."
                )
