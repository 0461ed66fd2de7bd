"""Jira, Cloud and Data Center, Jira Service Management incidents too: issues with their changelog, pulled or received."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, SecretStr

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.names import Text, Words, normalize
from mttr_pipeline.config.options import LinkedOptions, RequestBudget, Section
from mttr_pipeline.config.terms import EventType, FieldTarget, RecordType, Resolution
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.sources.kit.declare import Fields, Finding, Signature, Source, Variable, Webhook

#: Facts that a pull counts about alerts that are linked to issues.
NOT_READABLE = "linked_alerts_not_readable"
NO_LINKED_ALERTS = "issues_without_linked_alerts"
POSTPONED = "linked_alerts_postponed"


class JiraProject(Section):
    """`[sources.jira.projects.<key>]`: words of one project."""

    status: Words[EventType] = Field(default_factory=dict, description="status -> event, for this project only")


class JiraOptions(LinkedOptions):
    """What `[sources.jira]` may say."""

    status: Words[EventType] = Field(default_factory=dict, description="status -> event")
    resolution: Words[Resolution] = Field(default_factory=dict, description="resolution -> what it makes of an issue")
    type: Words[RecordType] = Field(default_factory=dict, description="issue type -> incident, post_mortem or other")
    fields: Words[FieldTarget] = Field(
        default_factory=dict, description="name or id of a field -> timestamp or attribute of the incident"
    )
    projects: Words[JiraProject] = Field(
        default_factory=dict, description="project key -> a table `status` for the issues of this project"
    )

    remote_links: Literal["changed", "told", "all", "none"] = Field(
        "changed",
        description="of which issues the remote links are read, with a request for each: of those whose history tells that one was "
        "set or removed (`told`), also of those that change after the first pull and name no page of another record (`changed`), "
        "of every issue (`all`), or of none (`none`). With `told` and `all`, one pull reads the links of the same issues as many",
    )

    linked_alerts: Text | None = Field(
        None,
        description="for Jira Cloud: the account of Jira Service Management Operations, such as `jsm`, whose alerts are linked to "
        "incidents of this site. The links are read with two requests for each incident that is not done or changed in the last 7 "
        "days; none: they are not read, because their API is beta, and the token needs a scope for it",
    )
    linked_alert_requests: RequestBudget = Field(
        1000, description="request budget per run for linked alerts; incidents beyond it wait for the next run"
    )

    post_mortem_jql: Text | None = Field(
        None,
        description="selects the issues that are post-mortems; none: the issue types that are mapped to post_mortem",
    )
    post_mortem_action_links: tuple[Text, ...] = Field(
        ("Relates", "Action", "Action item", "Follow-up"),
        description="types of the links by which a post-mortem names its follow-up actions",
    )
    incident_action_links: tuple[Text, ...] = Field(
        ("Action", "Action item", "Follow-up"),
        description="types of the links by which a ticket of an incident names follow-up actions",
    )
    test_labels: tuple[Text, ...] = Field(
        ("test-added", "regression-test"),
        description="labels of a post-mortem or action that say that a test was added, as does a field mapped to `test_added`",
    )

    def sql_settings(self) -> Iterator[tuple[str, str, str]]:
        """See SourceOptions."""
        yield from [("linked_alerts", "", self.linked_alerts)] if self.linked_alerts else []
        yield from (("post_mortem_action_link", normalize(name), name) for name in self.post_mortem_action_links)
        yield from (("incident_action_link", normalize(name), name) for name in self.incident_action_links)
        yield from (("test_label", normalize(name), name) for name in self.test_labels)

    def configured_words(self) -> Iterator[tuple[str, str, str, str]]:
        """Besides the tables for all projects, the statuses of one."""
        yield from super().configured_words()
        for project, scoped in self.projects.items():
            for word, meaning in scoped.status.items():
                yield "status", project, word, meaning


class JiraAccess(Section):
    """Jira Cloud has `email` and `token`; Jira Data Center only a `token` (personal access token)."""

    url: str
    token: SecretStr
    email: str | None = None
    jql: str | None = None
    incidents_url: str = "https://api.atlassian.com"

    @property
    def is_cloud(self) -> bool:
        """Whether this is Jira Cloud; else it is Data Center."""
        return self.email is not None


def read_access(environment: Environment) -> JiraAccess | None:
    """Address and token of the account; None when no token is set. Raises ConfigError when they are incomplete."""
    cloud, personal = environment.secret("API_TOKEN"), environment.secret("PERSONAL_TOKEN")
    named = environment.variable
    if cloud and personal:
        raise ConfigError(
            f"{named('API_TOKEN')} (Cloud) and {named('PERSONAL_TOKEN')} (Data Center) are both set; keep the one for "
            f"{named('URL')}."
        )
    token = cloud or personal
    if not token:
        return None
    email = environment.text("EMAIL")
    if cloud and not email:
        raise ConfigError(f"{named('API_TOKEN')} is set but {named('EMAIL')} is not; Jira Cloud needs both.")
    if not environment.text("URL"):
        raise ConfigError(
            f"A Jira token is set but {named('URL')} is not; set it to the site's address, like https://acme.atlassian.net."
        )
    return JiraAccess(
        url=environment.address("URL"),
        token=token,
        email=email if cloud else None,
        jql=environment.text("JQL"),
        incidents_url=environment.address("INCIDENTS_URL", "https://api.atlassian.com"),
    )


def recognises(fields: Fields) -> bool:
    """Jira: `webhookEvent` (Jira Cloud platform, Webhooks)."""
    return "webhookEvent" in fields


SOURCE = Source(
    name="jira",
    title="Jira",
    yields=("records", "events", "responders", "sla_cycles", "deletions", "words", "sites", "links", "follow_ups"),
    options=JiraOptions,
    words={
        "severity": {
            "Highest": "SEV1",
            "High": "SEV2",
            "Medium": "SEV3",
            "Low": "SEV4",
            "Lowest": "SEV4",
            # Jira's priority scheme from before 2017, still the default of many Data Center sites
            "Blocker": "SEV1",
            "Critical": "SEV2",
            "Major": "SEV3",
            "Minor": "SEV4",
            "Trivial": "SEV4",
        },
        "status": {
            **dict.fromkeys(("Open", "New", "To Do", "Reported"), "detected"),
            **dict.fromkeys(("Acknowledged", "Assigned", "Triaged"), "acknowledged"),
            **dict.fromkeys(("In Progress", "Work in progress", "Investigating"), "investigating"),
            **dict.fromkeys(("Identified", "Root cause found"), "root_cause_found"),
            **dict.fromkeys(("Mitigated", "Monitoring", "Workaround", "Fix deployed"), "mitigated"),
            **dict.fromkeys(("Resolved", "Done", "Completed", "Fixed"), "resolved"),
            "Closed": "closed",
            "Reopened": "reopened",
            **dict.fromkeys(("Pending", "On hold", "Waiting for *"), "paused"),
        },
        "resolution": {
            **dict.fromkeys(("Done", "Fixed", "Resolved", "Completed", "Complete"), "incident"),
            **dict.fromkeys(("Won't do", "Won’t do", "Wont do", "Won't fix", "Won’t fix", "Wont fix"), "false_alarm"),
            **dict.fromkeys(("Cancelled", "Canceled", "Declined", "Cannot reproduce"), "false_alarm"),
            **dict.fromkeys(("Not a bug", "Invalid", "Incomplete"), "false_alarm"),
            "Duplicate": "duplicate",
        },
        "type": {
            **dict.fromkeys(("Incident", "[System] Incident"), "incident"),
            **dict.fromkeys(
                ("Post-mortem", "Post-incident review", "[System] Post-incident review", "PIR"), "post_mortem"
            ),
        },
        "detection": {"customer": "customer", "app": "monitor", "atlassian": "employee"},
        "field": {
            "Severity": "severity",
            "Affected services": "service",
            "Major incident": "major_incident",
            "Responders": "responders",
            "Incident start": "occurred_at",
            "Impact start": "occurred_at",
            "Detected at": "detected_at",
            "Mitigated at": "mitigated_at",
            "Affected users": "affected_users",
            "Revenue impact": "revenue_impact",
            "Detected by": "detected_by",
            "Detection source": "detected_by",
            "Test added": "test_added",
        },
    },
    variables=(
        Variable("URL", "address of the site, such as `https://acme.atlassian.net`"),
        Variable("EMAIL", "for Jira Cloud: address of the account that the token belongs to"),
        Variable(
            "API_TOKEN",
            "for Jira Cloud: API token of that account. A token with scopes needs `read:jira-work` and `read:jira-user`, and "
            "`https://api.atlassian.com/ex/jira/<cloud id>` as the address; for `linked_alerts` also "
            "`read:incident:jira-service-management`",
            secret=True,
        ),
        Variable(
            "PERSONAL_TOKEN", "for Jira Data Center: a personal access token, instead of the two above", secret=True
        ),
        Variable("JQL", "selects the issues that are incidents. Default: the issue types that are mapped to incident"),
        Variable("INCIDENTS_URL", "for `linked_alerts`: address of their API; default `https://api.atlassian.com`"),
    ),
    credentials="{URL} with {EMAIL} and {API_TOKEN} (Cloud) or {PERSONAL_TOKEN} (Data Center)",
    read_access=read_access,
    findings={
        "no_post_mortem_type": Finding(
            "info",
            "sites without an issue type that is mapped to post_mortem: post-mortems are not read; map the type in "
            "[sources.jira.type], or set post_mortem_jql",
        ),
        NOT_READABLE: Finding(
            "warn",
            "pulls that could not read which alerts are linked to incidents, so that an alert and its ticket may count twice: "
            "`mttr doctor` says why; remove linked_alerts of [sources.jira] if they are not wanted",
        ),
        NO_LINKED_ALERTS: Finding(
            "info",
            "issues whose linked alerts the site does not give, mostly because they are no incidents of Jira Service Management",
            newest=True,
        ),
        POSTPONED: Finding(
            "info",
            "incidents whose linked alerts no request was left for; the next runs read them (linked_alert_requests)",
            newest=True,
        ),
    },
    connect="mttr_pipeline.sources.jira.pull:Jira",
    webhook=Webhook(
        "Jira event",
        recognises,
        signature=Signature("X-Hub-Signature", "sha256="),  # Jira Cloud platform, Webhooks, Secure admin webhooks
        delivery_header="X-Atlassian-Webhook-Identifier",  # the same in every retry (Jira Cloud platform, Webhooks)
    ),
)
