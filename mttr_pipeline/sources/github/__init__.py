"""GitHub and GitHub Enterprise Server: deployments with their statuses, releases of repositories without deployments."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.names import Text
from mttr_pipeline.config.options import DeployOptions, RequestsPerMinute, Section
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.sources.kit.declare import Finding, Source, Variable

_NAME = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


class GitHubOptions(DeployOptions):
    """What `[sources.github]` may say."""

    commits: bool = Field(
        True,
        description="reads which commits a production deployment brings out first, with a request for each that succeeds; lead "
        "times and rollbacks to an earlier commit need it",
    )
    releases: bool = Field(True, description="reads the releases of repositories that have no deployments")
    release_environment: Text | None = Field(
        None,
        description="environment that a release brings out, pre-releases excepted; none: releases are listed and are no "
        "production deploys",
    )
    # Rate limits for the REST API: 900 points a minute, of which a GET takes one. The 5,000 an hour are told with every response.
    requests_per_minute: RequestsPerMinute | None = 800


class GitHubAccess(Section):
    """Token, repositories as `owner/name`, and address of the API."""

    token: SecretStr
    repositories: tuple[str, ...]
    url: str


def read_access(environment: Environment) -> GitHubAccess | None:
    """Token and repositories of the account. None when no repository is named: many machines have a token for other programs.

    Raises ConfigError for repositories without a token, and for a name that is not `owner/name`.
    """
    token, names = environment.secret("TOKEN"), environment.text("REPOS")
    url = environment.address("API_URL", "https://api.github.com")
    if names is None:
        return None
    named = environment.variable
    if token is None:
        raise ConfigError(f"{named('REPOS')} is set but {named('TOKEN')} is not; set both.")
    found = [name for name in re.split(r"[,\s]+", names) if name]
    wrong = [name for name in found if not _NAME.fullmatch(name) or {".", ".."} & set(name.split("/"))]
    if wrong or not found:
        shown = f": {wrong[0]!r} is no repository" if wrong else " names no repository"
        raise ConfigError(f"{named('REPOS')}{shown}; write owner/name, several with commas between them.")
    distinct = {name.lower(): name for name in reversed(found)}  # of two spellings, the first
    return GitHubAccess(token=token, repositories=tuple(reversed(distinct.values())), url=url)


SOURCE = Source(
    name="github",
    title="GitHub",
    role="deploys",
    yields=("deploys", "words"),
    options=GitHubOptions,
    variables=(
        Variable(
            "TOKEN",
            "token that reads the repositories. A fine-grained token needs the repository permissions Deployments (read) and "
            "Contents (read), a classic one the scope `repo`",
            secret=True,
        ),
        Variable("REPOS", "the repositories, as `owner/name,owner/name`. Without it, nothing is read"),
        Variable("API_URL", "default `https://api.github.com`; GitHub Enterprise Server has `https://<host>/api/v3`"),
    ),
    credentials="{TOKEN} and {REPOS}",
    read_access=read_access,
    connect="mttr_pipeline.sources.github.pull:GitHub",
    findings={
        "repositories_not_readable": Finding(
            "warn",
            "repositories that do not exist, or that the token may not read: their deploys since then are missing; `mttr doctor` "
            "names them",
        ),
        "repositories_named_twice": Finding(
            "info",
            "names of repositories that are another one's too, such as the name before a rename; each is read once",
        ),
        "commits_not_readable": Finding(
            "warn",
            "repositories whose commits the token may not read, so that lead times are missing; give it Contents (read)",
        ),
        "deployments_not_comparable": Finding(
            "info",
            "deployments whose commits are not known, because the branch was rewritten since; they have no lead time",
        ),
        "comparisons_cut": Finding(
            "info", "deployments that bring out more commits than are read (1,000); their first commit may be earlier"
        ),
    },
)
