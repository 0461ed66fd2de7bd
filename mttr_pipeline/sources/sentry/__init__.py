"""Sentry and servers with its API, such as GlitchTip: error issues with their histories, the deploys of releases with the commits of
each, and the health of releases.

    pull         one account, its releases and deploys
    error_pull   all about errors in one pull: `server`, which finds out what it can do, `projects`, `errors`, `sessions`
    lists, details  the lists of issues, and what is asked for of one
    issues, releases  what is landed of them
    memory       what a pull keeps for the next one
"""

from __future__ import annotations

import re

from pydantic import Field, SecretStr

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.names import Text
from mttr_pipeline.config.options import DeployOptions, Section
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.sources.kit.declare import Finding, Source, Variable

NO_DEPLOYS = "release_deploys_not_readable"
NO_COMMITS = "releases_without_readable_commits"
ERRORS_NOT_READABLE = "errors_not_readable"
PROJECTS_NOT_READABLE = "error_projects_not_readable"
NO_RESOLVE_TIMES = "error_resolve_times_not_in_plan"
NO_SESSIONS = "release_sessions_not_in_plan"
FILTERS_IGNORED = "error_filters_not_in_plan"
OLDER_THAN_GIVEN = "error_days_older_than_given"
HISTORIES_CUT = "error_histories_cut"
ISSUES_MERGED = "error_issues_merged"
SESSIONS_CUT = "release_session_days_cut"


class SentryOptions(DeployOptions):
    """What `[sources.sentry]` may say."""

    commits: bool = Field(
        True,
        description="reads the commits of a release that was brought out to production, for the lead time, with a request for each "
        "such release",
    )
    errors: bool = Field(True, description="reads error issues, their histories and the sessions of releases")
    error_projects: tuple[Text, ...] = Field((), description="slugs of the projects whose errors are read; none: all")
    error_environments: tuple[Text, ...] = Field(
        (),
        description="names of the environments whose errors and sessions are read, as the server spells them; none: all",
    )
    service_tag: Text | None = Field(
        None,
        description="tag of events whose most frequent value names the service of an issue, with a request for each issue that "
        "changed; none: its project",
    )
    team_tag: Text | None = Field(
        None, description="the same for the team; none: the team that is assigned, else the only team of the project"
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
    yields=(
        "deploys",
        "words",
        "error_issues",
        "error_events",
        "error_counts",
        "release_sessions",
        "links",
        "deletions",
    ),
    options=SentryOptions,
    words={
        "severity": {
            "fatal": "SEV2",
            "error": "SEV3",
            **dict.fromkeys(("warning", "info", "debug", "sample"), "SEV4"),
        }
    },
    variables=(
        Variable(
            "AUTH_TOKEN",
            "token with the scopes `org:read` and `project:releases`, and for errors `event:read` and `project:read`, such as that "
            "of an internal integration",
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
        ERRORS_NOT_READABLE: Finding(
            "warn",
            "errors are in no table: the token lacks the scope event:read, or the server does not list issues; `mttr doctor` says "
            "which, and errors = false in the section of the source turns this off",
        ),
        PROJECTS_NOT_READABLE: Finding(
            "warn",
            "projects of error_projects that do not exist, or that the token may not see: their errors are missing",
        ),
        NO_RESOLVE_TIMES: Finding(
            "info",
            "error issues of a server that keeps no history: a resolve is known to the time between two runs, and one that was "
            "taken back between them is not seen",
        ),
        NO_SESSIONS: Finding("info", "the server counts no sessions, so releases have no crash-free share"),
        FILTERS_IGNORED: Finding(
            "info",
            "filters or orders of the list of issues that the server does not follow; everything is read and filtered here, which "
            "takes more requests",
        ),
        OLDER_THAN_GIVEN: Finding(
            "info",
            "days of the range that was asked for in which errors without a later event are missing: the server searches the last "
            "90 days only",
        ),
        HISTORIES_CUT: Finding(
            "info",
            "error issues with the 100 entries of history that the server gives at most, when they were first read: earlier "
            "resolves may be missing",
        ),
        ISSUES_MERGED: Finding("info", "error issues that were merged into another one, which counts for them"),
        SESSIONS_CUT: Finding(
            "warn",
            "days on which more releases had sessions than one answer of the server holds: sessions are missing",
        ),
    },
)
