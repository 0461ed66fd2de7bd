"""Jira Service Management Operations, the successor of Opsgenie: alerts, pulled by its REST API."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.options import LinkedOptions, RequestBudget, Section
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.sources.kit.declare import Source, Variable


class JsmOptions(LinkedOptions):
    """What `[sources.jsm]` may say."""

    details: bool = Field(
        True, description="reads every changed alert with a request of its own, which shows its extra properties"
    )
    relist_requests: RequestBudget = Field(
        200,
        description="list requests per run that look for changes of older closed alerts; 0 turns this off",
    )


class JsmAccess(Section):
    """An Atlassian site's Operations: its cloud id, and an account with an API token."""

    cloud_id: str
    email: str
    token: SecretStr
    url: str


def read_access(environment: Environment) -> JsmAccess | None:
    """Site and token of the account; None when neither is set. Raises ConfigError when they are incomplete."""
    token = environment.secret("API_TOKEN")
    cloud_id, email = environment.text("CLOUD_ID"), environment.text("EMAIL")
    if token is None and not cloud_id:
        return None
    names = [environment.variable(suffix) for suffix in ("CLOUD_ID", "EMAIL", "API_TOKEN")]
    missing = [name for name, value in zip(names, (cloud_id, email, token), strict=True) if not value]
    if not cloud_id or not email or not token:
        raise ConfigError(
            f"JSM Operations needs {names[0]}, {names[1]} and {names[2]}; not set: {', '.join(missing)}. "
            "The cloud id of a site is shown at https://<site>.atlassian.net/_edge/tenant_info."
        )
    if not re.fullmatch(r"[0-9A-Za-z-]+", cloud_id):
        raise ConfigError(
            f"{names[0]} is no cloud id; copy it from https://<site>.atlassian.net/_edge/tenant_info (letters, digits, -)."
        )
    return JsmAccess(
        cloud_id=cloud_id, email=email, token=token, url=environment.address("API_URL", "https://api.atlassian.com")
    )


SOURCE = Source(
    name="jsm",
    title="Jira Service Management Operations",
    role="pager",
    yields=("records", "events", "teams", "responders", "deletions", "words", "pulled_alerts", "links"),
    options=JsmOptions,
    traits=("alerts",),
    variables=(
        Variable(
            "CLOUD_ID",
            "the site whose Jira Service Management Operations alerts are read. "
            "`https://<site>.atlassian.net/_edge/tenant_info` shows it",
        ),
        Variable(
            "EMAIL",
            "address of an account with an operations role that sees every alert, ideally a global admin. Other accounts "
            "miss alerts without an error",
        ),
        Variable(
            "API_TOKEN",
            "API token of that account. A token with scopes needs `read:ops-alert:jira-service-management`, and for team "
            "names `read:ops-config:jira-service-management`",
            secret=True,
        ),
        Variable("API_URL", "default `https://api.atlassian.com`"),
    ),
    credentials="{CLOUD_ID}, {EMAIL} and {API_TOKEN}",
    read_access=read_access,
    connect="mttr_pipeline.sources.jsm.pull:Jsm",
)
