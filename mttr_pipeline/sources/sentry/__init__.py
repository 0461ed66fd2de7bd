"""Sentry and servers with its API, such as GlitchTip: the deploys of releases, with the commits of each release.

Releases and deploys stand in `pull`. Other kinds of records get a module of their own beside it.
"""

from __future__ import annotations

import re

from pydantic import Field, SecretStr

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.options import DeployOptions, Section
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.sources.kit.declare import Finding, Source, Variable

NO_DEPLOYS = "release_deploys_not_readable"
NO_COMMITS = "releases_without_readable_commits"


class SentryOptions(DeployOptions):
    """What `[sources.sentry]` may say."""

    commits: bool = Field(
        True,
        description="reads the commits of a release that was brought out to production, for the lead time, with a request for each "
        "such release",
    )


class SentryAccess(Section):
    """Token, organization and address of one account."""

    token: SecretStr
    organization: str
    url: str


def read_access(environment: Environment) -> SentryAccess | None:
    """Token, organization and address of the account. None when no organization is named: many machines have a token for the
    vendor's own command line.

    Raises ConfigError for an organization without a token, and for one that is no slug.
    """
    token, organization = environment.secret("AUTH_TOKEN"), environment.text("ORG")
    if organization is None:
        return None
    if token is None:
        raise ConfigError(
            f"{environment.variable('ORG')} is set but {environment.variable('AUTH_TOKEN')} is not; set both."
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", organization):
        raise ConfigError(
            f"{environment.variable('ORG')} is {organization!r}; write the slug of the organization, as in the address of its pages."
        )
    return SentryAccess(token=token, organization=organization, url=environment.address("URL", "https://sentry.io"))


SOURCE = Source(
    name="sentry",
    title="Sentry",
    role="deploys",
    yields=("deploys", "words"),
    options=SentryOptions,
    variables=(
        Variable(
            "AUTH_TOKEN",
            "token with the scopes `org:read` and `project:releases`, such as that of an internal integration",
            secret=True,
        ),
        Variable("ORG", "slug of the organization. Without it, nothing is read"),
        Variable(
            "URL",
            "default `https://sentry.io`; for an organization elsewhere, its address, such as `https://de.sentry.io` or that of a "
            "GlitchTip, with its path if it has one",
        ),
    ),
    credentials="{AUTH_TOKEN} and {ORG}",
    read_access=read_access,
    connect="mttr_pipeline.sources.sentry.pull:Sentry",
    findings={
        NO_DEPLOYS: Finding(
            "warn",
            "releases whose deploys cannot be read, so that these are in no figure: the token lacks the scope project:releases, or "
            "the server does not list deploys; `mttr doctor` says which, and the next pull asks again",
        ),
        NO_COMMITS: Finding(
            "info",
            "releases whose commits the token may not read, so that they have no lead time",
        ),
    },
)
