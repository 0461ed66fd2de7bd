"""PagerDuty: incidents with their log entries, pulled by the REST API v2 or received as v3 webhooks."""

from __future__ import annotations

from pydantic import Field, SecretStr

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.names import Words
from mttr_pipeline.config.options import DeployOptions, RequestsPerMinute, Section
from mttr_pipeline.config.terms import FieldTarget
from mttr_pipeline.config.values import Pattern
from mttr_pipeline.sources.kit.body import members
from mttr_pipeline.sources.kit.declare import Fields, Signature, Source, Variable, Webhook


class PagerDutyOptions(DeployOptions):
    """What `[sources.pagerduty]` may say."""

    fields: Words[FieldTarget] = Field(
        default_factory=dict,
        description="custom field -> timestamp or attribute of the incident; costs one request per incident",
    )
    alerts: bool = Field(
        False,
        description="reads the alerts of every incident that has no deduplication key of its own, with a request for each; by "
        "default only of incidents that change after the first pull, and of the others the key of the event that triggered them "
        "is known",
    )
    change_events: tuple[Pattern, ...] = Field(
        (),
        description="which change events are deploys: regular expressions that fit somewhere in their summary, or ids of "
        "integrations; none: no change events are read",
    )
    requests_per_minute: RequestsPerMinute | None = 960  # REST API rate limits: 960 a minute per account key

    def patterns(self) -> tuple[str, ...]:
        """See SourceOptions."""
        return self.change_events


class PagerDutyAccess(Section):
    """Key and address of one account."""

    token: SecretStr
    url: str


def read_access(environment: Environment) -> PagerDutyAccess | None:
    """Key and address of the account; None when no key is set. Raises ConfigError for a wrong address."""
    token = environment.secret("TOKEN")
    if token is None:
        return None
    return PagerDutyAccess(token=token, url=environment.address("API_URL", "https://api.pagerduty.com"))


def recognises(fields: Fields) -> bool:
    """PagerDuty v3: `event.event_type` and `event.data` (PagerDuty developer documentation, Webhook payload)."""
    return members(fields.get("event")).keys() >= {"event_type", "data"}


SOURCE = Source(
    name="pagerduty",
    title="PagerDuty",
    role="pager",
    yields=("records", "events", "services", "teams", "responders", "deletions", "words", "links", "deploys"),
    options=PagerDutyOptions,
    variables=(
        Variable("TOKEN", "REST API key. A read-only account key sees everything", secret=True),
        Variable("API_URL", "default `https://api.pagerduty.com`; EU accounts use `https://api.eu.pagerduty.com`"),
    ),
    credentials="{TOKEN}",
    read_access=read_access,
    connect="mttr_pipeline.sources.pagerduty.pull:PagerDuty",
    # One value for each secret in force while one is replaced (PagerDuty developer documentation, Verifying webhook signatures).
    webhook=Webhook("PagerDuty event", recognises, signature=Signature("X-PagerDuty-Signature", "v1=")),
)
