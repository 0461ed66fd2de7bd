"""Settings of one run: credentials and addresses from the environment, everything else from an optional `mttr.toml`.

What belongs here: putting the two together for the sources that are given. What does not: which sources there are
(`sources.registry` finds them), any use of a setting. Unknown keys are errors that name the key, so that a misspelt setting is
never silently ignored.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError, create_model

from mttr_pipeline.config.accounts import Declared, account_kinds
from mttr_pipeline.config.alert_places import AlertPlaces, alert_places
from mttr_pipeline.config.decisions import Decisions, decisions_file, read_decisions
from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.explain import explain
from mttr_pipeline.config.options import Section, SourceOptions
from mttr_pipeline.config.sections import FileSettings
from mttr_pipeline.errors import ConfigError


@dataclass(frozen=True)
class Account:
    """One configured account of a source. A source without `[sources.<name>] kind = ...` has one account, of its own name.

    `options` are those of `[sources.<name>]`, with the words of `[vocabulary]` in their tables.
    """

    name: str
    source: Any = field(repr=False)  # a Declared; typed by those who know the registry
    options: SourceOptions
    access: Any | None = None
    signing_key: SecretStr | None = None

    @property
    def title(self) -> str:
        """The source's name for people, with that of the account where it is another one."""
        title: str = self.source.title
        return title if self.name == self.source.name else f"{title} ({self.name})"

    @property
    def enabled(self) -> bool:
        """Whether its credentials are set, so that a run pulls it."""
        return self.access is not None

    def variable(self, suffix: str) -> str:
        """The full name of an environment variable of this account."""
        return Environment({}, self.name).variable(suffix)


@dataclass(frozen=True)
class Settings:
    """Everything one run needs to know, validated. Credentials are SecretStr: they never print."""

    data_dir: Path
    accounts: tuple[Account, ...]
    config_file: Path | None = None
    file: FileSettings = field(default_factory=FileSettings)
    pseudonym_key: SecretStr | None = None
    decisions: Decisions = field(default_factory=Decisions)
    alert_places: AlertPlaces = field(default_factory=AlertPlaces)

    @property
    def record_sources(self) -> tuple[str, ...]:
        """The sources that records can be of: an account has one for each kind of its records."""
        return tuple(name for account in self.accounts for name in account.source.record_sources(account.name))

    @property
    def enabled(self) -> tuple[Account, ...]:
        """The accounts that a run pulls, in the order in which they are listed."""
        return tuple(account for account in self.accounts if account.enabled)

    def without_pace(self) -> Settings:
        """With no `requests_per_minute`: for simulated vendors, whose minute lasts seconds. What they refuse is obeyed as ever."""
        unpaced = {"requests_per_minute": None}
        accounts = (replace(account, options=account.options.model_copy(update=unpaced)) for account in self.accounts)
        return replace(self, accounts=tuple(accounts))

    def account(self, name: str) -> Account:
        """The account of that name. Raises ConfigError when there is none."""
        for account in self.accounts:
            if account.name == name:
                return account
        known = ", ".join(account.name for account in self.accounts)
        raise ConfigError(f"There is no source {name!r}; known: {known}.")


def load(
    sources: Mapping[str, Declared],
    env: Mapping[str, str] | None = None,
    *,
    data_dir: str | Path | None = None,
    config: str | Path | None = None,
    ignored: Collection[str] = (),
) -> Settings:
    """Read environment and configuration file for these sources, by name.

    `data_dir` and `config` are the command line's and win over MTTR_DATA_DIR and MTTR_CONFIG. Sections of `[sources]` that are
    `ignored` belong to sources that cannot be used. Raises ConfigError, naming the variable, file or key and the remedy.
    """
    env = os.environ if env is None else env
    path, content = _read_file(config or env.get("MTTR_CONFIG"))
    where = path or Path("mttr.toml")
    settings = settings_of(
        content,
        sources,
        env,
        data_dir=Path(data_dir or env.get("MTTR_DATA_DIR") or "data").expanduser(),
        config_file=path,
        where=str(where),
        ignored=ignored,
    )
    return replace(settings, decisions=read_decisions(decisions_file(path), settings.record_sources))


def settings_of(
    content: dict[str, Any],
    sources: Mapping[str, Declared],
    env: Mapping[str, str],
    *,
    data_dir: Path,
    config_file: Path | None = None,
    where: str = "mttr.toml",
    ignored: Collection[str] = (),
) -> Settings:
    """The settings of an `mttr.toml` with this content. `where` names it in errors. Raises ConfigError."""
    content = _without(content, ignored)
    kinds = account_kinds(content, sources, where)
    model = _file_model(tuple((name, sources[kind].options) for name, kind in kinds.items()))
    try:
        file = model.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{where}: {explain(error, model)}") from error
    accounts = []
    for name, kind in kinds.items():
        source, environment = sources[kind], Environment(env, name)
        options = getattr(file.sources, name).with_vocabulary(file.vocabulary)
        accounts.append(Account(name, source, options, source.access(environment), source.signing_key(environment)))
    key = Environment(env, "mttr").secret("PSEUDONYM_KEY")
    return Settings(data_dir, tuple(accounts), config_file, file, key, alert_places=alert_places(env))


@cache
def _file_model(options: tuple[tuple[str, type[SourceOptions]], ...]) -> type[FileSettings]:
    """FileSettings with one field of `[sources]` per account."""
    fields: dict[str, Any] = {name: (kind, kind()) for name, kind in options}
    sources = create_model("Sources", __base__=Section, **fields)
    return create_model("FileSettings", __base__=FileSettings, sources=(sources, sources()))


def _without(content: dict[str, Any], ignored: Collection[str]) -> dict[str, Any]:
    tables = content.get("sources")
    if not ignored or not isinstance(tables, dict):
        return content
    kept = {
        name: table
        for name, table in tables.items()
        if name not in ignored and not (isinstance(table, dict) and table.get("kind") in list(ignored))
    }
    return {**content, "sources": kept}


def _read_file(chosen: str | Path | None) -> tuple[Path | None, dict[str, Any]]:
    path = Path(chosen).expanduser() if chosen else Path("mttr.toml")
    if not path.exists():
        if chosen:
            raise ConfigError(f"The configuration file {path} does not exist; correct --config or MTTR_CONFIG.")
        return None, {}
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid TOML: {error}. Correct that line and start again.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
