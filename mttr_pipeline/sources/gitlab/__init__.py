"""GitLab: the deployments of projects, pulled by the REST API v4, with the commits that each brought out first."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.options import DeployOptions, Section
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.sources.kit.declare import Finding, Source, Variable

UNREADABLE = "projects_not_readable"
UNCOMPARED = "deployments_not_compared"
UNASKED = "deployments_without_an_hour_of_finish"


class GitLabOptions(DeployOptions):
    """What `[sources.gitlab]` may say."""

    commits: bool = Field(
        True,
        description="reads the commits between a successful production deployment and the one before it, for the lead time, with "
        "one request for each such deployment",
    )


class GitLabAccess(Section):
    """Token, address and projects of one account."""

    token: SecretStr
    url: str
    projects: tuple[str, ...]


def read_access(environment: Environment) -> GitLabAccess | None:
    """Token, address and projects of the account. None when no project is named: many machines have a token for other programs.

    Raises ConfigError for projects without a token, for a wrong address, and for a project without a group.
    """
    token, listed = environment.secret("TOKEN"), environment.text("PROJECTS")
    if listed is None:
        return None
    if token is None:
        raise ConfigError(
            f"{environment.variable('PROJECTS')} is set but {environment.variable('TOKEN')} is not; set both."
        )
    url = environment.address("URL", "https://gitlab.com")
    projects = tuple(dict.fromkeys(part.strip().strip("/") for part in listed.split(",") if part.strip()))
    for project in projects:
        if not re.fullmatch(r"[^\s/?#%:]+(/[^\s/?#%:]+)+", project):
            raise ConfigError(
                f"{environment.variable('PROJECTS')} names {project!r}; write each project as group/name or "
                "group/subgroup/name, as in the address of its page."
            )
    if not projects:
        raise ConfigError(f"{environment.variable('PROJECTS')} names no project; write group/name.")
    return GitLabAccess(token=token, url=url, projects=projects)


SOURCE = Source(
    name="gitlab",
    title="GitLab",
    role="deploys",
    yields=("deploys", "words"),
    options=GitLabOptions,
    variables=(
        Variable("TOKEN", "personal, group or project access token with the scope `read_api`", secret=True),
        Variable(
            "PROJECTS",
            "the projects whose deployments are read, as `group/name,group/subgroup/name`. Without it, nothing is read",
        ),
        Variable(
            "URL", "default `https://gitlab.com`; for a self-managed GitLab, its address, with its path if it has one"
        ),
    ),
    credentials="{TOKEN} and {PROJECTS}",
    read_access=read_access,
    connect="mttr_pipeline.sources.gitlab.pull:GitLab",
    findings={
        UNREADABLE: Finding(
            "warn",
            "GitLab projects whose deployments cannot be read, so that they are in no figure: the path is wrong, or the token lacks "
            "the scope read_api or a role that may read them; the manifest of the pull names them",
        ),
        UNCOMPARED: Finding(
            "info", "deployments whose commits GitLab does not give: they have no first commit, so no lead time"
        ),
        UNASKED: Finding(
            "info", "deployments made by the API for which GitLab does not tell when they finished, to the hour"
        ),
    },
)
