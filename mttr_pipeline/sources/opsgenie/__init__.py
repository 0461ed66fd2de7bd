"""Opsgenie: alerts and incidents, pulled by the REST API or received as webhook bodies of alert actions."""

from __future__ import annotations

from pydantic import Field, SecretStr

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.options import LinkedOptions, Section
from mttr_pipeline.sources.kit.body import members
from mttr_pipeline.sources.kit.declare import Fields, Source, Variable, Webhook


class OpsgenieOptions(LinkedOptions):
    """What `[sources.opsgenie]` may say."""

    details: bool = Field(
        True, description="reads every changed alert with a request of its own, which shows its entity and details"
    )


class OpsgenieAccess(Section):
    """Key and address of one account."""

    key: SecretStr
    url: str


def read_access(environment: Environment) -> OpsgenieAccess | None:
    """Key and address of the account; None when no key is set. Raises ConfigError for a wrong address."""
    key = environment.secret("API_KEY")
    if key is None:
        return None
    return OpsgenieAccess(key=key, url=environment.address("API_URL", "https://api.opsgenie.com"))


def recognises(fields: Fields) -> bool:
    """Opsgenie: `action` and `alert.alertId` (Opsgenie documentation, Alert action data)."""
    return "action" in fields and "alertId" in members(fields.get("alert"))


SOURCE = Source(
    name="opsgenie",
    title="Opsgenie",
    role="pager",
    yields=("records", "events", "services", "teams", "deletions", "words", "links"),
    options=OpsgenieOptions,
    traits=("alerts",),
    variables=(
        Variable("API_KEY", "key of an API integration with read access", secret=True),
        Variable("API_URL", "default `https://api.opsgenie.com`; EU accounts use `https://api.eu.opsgenie.com`"),
    ),
    credentials="{API_KEY}",
    read_access=read_access,
    connect="mttr_pipeline.sources.opsgenie.pull:Opsgenie",
    webhook=Webhook("Opsgenie event", recognises),  # it signs nothing
    also_yields=("incident",),
)
