"""What a source declares about itself, once, as `SOURCE` in `sources/<name>/__init__.py` (or in a third party's package).

    SOURCE = Source(
        name="acme",
        title="Acme",
        yields=("records", "events", "services", "teams", "deletions", "words"),
        variables=(Variable("TOKEN", "REST API key", secret=True), Variable("API_URL", "address of the API")),
        credentials="{TOKEN}",
        read_access=read_access,
        connect="mttr_pipeline.sources.acme.pull:Acme",
    )

Everything that differs between sources is asked of this object: settings, `mttr doctor`, help texts, the tables of the docs, SQL,
received bodies, the demo and the tests. What does not belong here: how a source is pulled, any particular source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import msgspec
from pydantic import SecretStr

from mttr_pipeline.config.environment import OF_FILE, Environment
from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.config.settings import Account
from mttr_pipeline.config.terms import Role
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.landing.readers import Unreadable

#: What the SQL of a source may yield: a gathered table of `sql/staging` each.
YIELDS = (
    *("records", "events", "services", "teams", "responders", "sla_cycles", "deletions", "words"),
    *("pulled_alerts", "sites", "links", "deploys"),
    *("error_issues", "error_events", "error_counts", "release_sessions", "follow_ups"),
    "findings",
)

#: The members of a received body, each as it came.
Fields = Mapping[str, msgspec.Raw]


@dataclass(frozen=True)
class Variable:
    """An environment variable of every account of a source: `<ACCOUNT>_<suffix>`."""

    suffix: str
    meaning: str
    secret: bool = False


@dataclass(frozen=True)
class Signature:
    """How a sender signs a body: HMAC-SHA256 of the body as sent, in hex, in a header, after a prefix, several joined by commas."""

    header: str
    prefix: str


@dataclass(frozen=True)
class Finding:
    """What a fact that a source counts means in data quality: `level` is info or warn. With `newest`, only what the newest pull
    counted holds."""

    level: str
    meaning: str
    newest: bool = False


def whole_body(record: bytes, fields: Fields) -> Iterator[bytes | Unreadable]:
    """The usual part of a body: all of it."""
    yield b',"body":' + record


@dataclass(frozen=True)
class Webhook:
    """How a received body of this source is recognised, verified and split into landed lines.

    `noun` is what one landed line is called. `recognises` says whether the members of a body are those of this sender.
    `parts` gives what is landed of one body: JSON members that follow `"file"` and `"line"`, or why there is nothing.
    `delivery_header` names the sender's id of a delivery. `facts` counts what the manifest keeps of a body.
    """

    noun: str
    recognises: Callable[[Fields], bool]
    parts: Callable[[bytes, Fields], Iterator[bytes | Unreadable]] = whole_body
    signature: Signature | None = None
    secret: str = "WEBHOOK_SECRET"
    delivery_header: str | None = None
    facts: Callable[[Fields], Mapping[str, int]] | None = None


class BadArchive(ConfigError):
    """An export that is not safe, or damaged."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"The export {path} is not imported: {reason}. Export it again, and import it as it came.")


class GivenFiles(Protocol):
    """The files of an export, by their paths in it with `/` between folders."""

    @property
    def path(self) -> Path:
        """Where the export stands."""
        ...

    @property
    def names(self) -> Collection[str]:
        """The paths of all files."""
        ...

    def read(self, name: str) -> bytes:
        """The content of a file. Raises KeyError for a name that is not there, BadArchive for one that is too large."""
        ...


@dataclass(frozen=True)
class Archive:
    """An export of this source, as a folder or a zip file, which `mttr import` takes.

    `recognises` says whether the names of its files are those of such an export. `lines` gives stream and line of everything that is
    landed; the lines are those of a pull. `nouns` is what one line of each stream is called. `nothing` explains an export of which
    nothing is landed.
    """

    recognises: Callable[[Collection[str]], bool]
    lines: Callable[[GivenFiles, Any], Iterator[tuple[str, bytes]]]
    nouns: Mapping[str, str]
    nothing: str


def _no_access(environment: Environment) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Source:
    """A kind of system that incident history comes from.

    name             lower case letters, digits and _; the folder of its SQL, `[sources.<name>]`, the prefix of its variables
    title            its name for people
    yields           the gathered tables that its SQL yields
    role             pager, ticket, machine alert, channel or deploys: advice speaks of pages only where a pager acknowledged
    options          the model of `[sources.<name>]`
    words            its default words by kind (severity, status, resolution, type, field): word -> meaning
    traits           folders of shared SQL that its tables are made of too, such as alerts
    variables        its environment variables
    credentials      what switches it on, for people; `{TOKEN}` stands for the full name of a variable
    read_access      credentials and addresses of an account, None when they are not set
    connect          `module:Class` that pulls it: Class(name, access, options, variables=account.variable)
    webhook          how received bodies look
    archive          how an export of it is read
    also_yields      suffixes of further values of the column `source`
    findings         facts that its pulls, bodies or SQL count, by name, and what they mean
    sql              folder with raw/<name>, staging/<name> and macros/<name>.sql; None: the project's own
    package          distribution that ships it; None: this project
    """

    name: str
    title: str
    yields: Sequence[str]
    role: Role = "ticket"
    options: type[SourceOptions] = SourceOptions
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    traits: Sequence[str] = ()
    variables: Sequence[Variable] = ()
    credentials: str = ""
    read_access: Callable[[Environment], Any | None] = _no_access
    connect: str | None = None
    webhook: Webhook | None = None
    archive: Archive | None = None
    also_yields: Sequence[str] = ()
    findings: Mapping[str, Finding] = field(default_factory=dict)
    sql: Path | None = None
    package: str | None = None

    @property
    def pulled(self) -> bool:
        """Whether it is pulled; else its records are only received or imported."""
        return self.connect is not None

    @property
    def has_accounts(self) -> bool:
        """Whether records can reach a second account of it: it is pulled, or sends webhook bodies."""
        return self.pulled or self.webhook is not None

    @property
    def third_party(self) -> bool:
        """Whether another package ships it."""
        return self.package is not None

    def suffixes(self) -> tuple[str, ...]:
        """Of the environment variables of one account."""
        named = [variable.suffix for variable in self.variables]
        return (*named, *self.signing_suffixes(), *(f"{secret}{OF_FILE}" for secret in self.secrets()))

    def secrets(self) -> tuple[str, ...]:
        """Of the variables that hold a secret; each may come from a file instead, which `<variable>_FILE` names."""
        return (*(variable.suffix for variable in self.variables if variable.secret), *self.signing_suffixes())

    def signing_suffixes(self) -> tuple[str, ...]:
        """Of the variable with the secret of signatures; none where the sender signs nothing."""
        return (self.webhook.secret,) if self.webhook and self.webhook.signature else ()

    def record_sources(self, account: str) -> tuple[str, ...]:
        """The values of the published column `source` that records of this account carry."""
        return (account, *(f"{account}_{suffix}" for suffix in self.also_yields))

    def credentials_of(self, account: str) -> str:
        """What switches an account on, for people: the full names of its variables."""
        environment = Environment({}, account)
        return re.sub(r"\{(\w+)\}", lambda match: environment.variable(match[1]), self.credentials)

    def access(self, environment: Environment) -> Any | None:
        """Credentials and addresses of an account; None when they are not set. Raises ConfigError when they are incomplete."""
        return self.read_access(environment)

    def signing_key(self, environment: Environment) -> SecretStr | None:
        """What the signatures of received bodies are checked with; None when none is set or the sender signs nothing."""
        if self.webhook is None or self.webhook.signature is None:
            return None
        return environment.secret(self.webhook.secret)


def unusable(name: str, package: str, reason: str) -> str:
    """The sentence about a source of another package that is left out."""
    return f"The source {name} of the package {package} cannot be used: {reason.rstrip('.! ')}."


def connection(account: Account) -> Any:
    """What pulls an account (`kit.plan.Source`). Raises ConfigError when its credentials are not set."""
    source: Source = account.source
    if source.connect is None:
        raise ConfigError(f"The source {account.name!r} is never pulled: its records are received or imported.")
    if account.access is None:
        raise ConfigError(f"The source {account.name!r} has no credentials; set {source.credentials_of(account.name)}.")
    module, _, name = source.connect.partition(":")
    return getattr(import_module(module), name)(
        account.name, account.access, account.options, variables=account.variable
    )
