"""Settings: secrets and the addresses that are asked from the environment, everything else from an optional `mttr.toml`.

What belongs here: names, defaults and validation of everything a user can set. What does not: any use of it.
Unknown keys are errors that name the key, so that a misspelt setting is never silently ignored.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from mttr_pipeline.config.explain import explain
from mttr_pipeline.config.names import ByService, Name, Named, Text, folded, owners
from mttr_pipeline.config.values import Day, WebAddress, Zone, number
from mttr_pipeline.errors import ConfigError

Severity = Literal["SEV1", "SEV2", "SEV3", "SEV4"]
Stamp = Literal[
    "occurred_at",
    "detected_at",
    "acknowledged_at",
    "investigating_at",
    "root_cause_found_at",
    "mitigated_at",
    "resolved_at",
    "closed_at",
]
FieldTarget = Literal[
    Stamp,
    "severity",
    "service",
    "team",
    "root_cause_category",
    "affected_users",
    "revenue_impact",
    "major_incident",
    "responders",
]
EventType = Literal[
    "occurred",
    "detected",
    "acknowledged",
    "investigating",
    "root_cause_found",
    "mitigated",
    "resolved",
    "closed",
    "reopened",
    "paused",
]


class Vendor(NamedTuple):
    """A system that is pulled: its name for people, and what switches it on."""

    title: str
    credentials: str


#: Every source that is pulled, by its name, in the order in which sources are listed and run.
VENDORS: dict[str, Vendor] = {
    "pagerduty": Vendor("PagerDuty", "PAGERDUTY_TOKEN"),
    "opsgenie": Vendor("Opsgenie", "OPSGENIE_API_KEY"),
    "jsm": Vendor("Jira Service Management Operations", "JSM_CLOUD_ID, JSM_EMAIL and JSM_API_TOKEN"),
    "jira": Vendor("Jira", "JIRA_URL with JIRA_EMAIL and JIRA_API_TOKEN (Cloud) or JIRA_PERSONAL_TOKEN (Data Center)"),
}

#: Senders of webhooks that sign them, and where the secret comes from.
WEBHOOK_SECRETS = {"pagerduty": "PAGERDUTY_WEBHOOK_SECRET", "jira": "JIRA_WEBHOOK_SECRET"}

DEFAULT_BACKFILL_DAYS = 730
STAMPS: tuple[Stamp, ...] = get_args(Stamp)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
TargetPhase = Literal["detection", "acknowledgment", "investigation", "mitigation"]
Phase = Literal[TargetPhase, "resolution", "closure"]
LIFECYCLE_ONLY: Phase = "resolution"  # in the coarse model the mitigation goes on until resolved_at
FIXED_VARIANTS: dict[str, tuple[Stamp, Stamp]] = {
    "basic": ("detected_at", "resolved_at"),
    "service_restore": ("detected_at", "mitigated_at"),
    "full_recovery": ("detected_at", "closed_at"),
}
DEFAULT_TARGETS: dict[Severity, float] = {"SEV1": 30, "SEV2": 120, "SEV3": 480, "SEV4": 1440}
RequestsPerMinute = Annotated[int, number("requests", 1, 1_000_000, whole=True)]
RequestBudget = Annotated[int, number("requests", 0, 1_000_000, whole=True)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceOptions(_Section):
    """What every source can be told in `[sources.<name>]`."""

    since: Day | None = Field(None, description="how far the first pull reaches back; default 730 days")
    time_zone: Zone | None = Field(
        None, description="zone of instants that carry no offset; none: such records go to quarantine"
    )
    severity: Named[Severity] = Field(
        default_factory=dict, description="vendor value -> SEV1..SEV4, added to the defaults"
    )
    root_cause_patterns: tuple[Text, ...] = Field(
        ("Root cause found:",), description="a note that starts so carries the root_cause_found stamp"
    )
    mitigated_patterns: tuple[Text, ...] = Field(
        ("Mitigated:",), description="a note that starts so carries the mitigated stamp"
    )
    requests_per_minute: RequestsPerMinute | None = Field(
        None, description="upper bound of requests a minute; default: what the vendor documents"
    )
    connections: Annotated[int, number("requests", 1, 64, whole=True)] = Field(8, description="parallel requests")
    lag_minutes: Annotated[int, number("minutes", 0, whole=True)] = Field(
        30, description="the high-water mark stays this far behind the clock of the run"
    )
    lookback_days: Annotated[int, number("days", 0, whole=True)] = Field(
        14, description="records created this recently are read again on every run"
    )
    timeout_seconds: Annotated[float, number("seconds", most=86_400)] = Field(
        60, description="how long one response may take, all of it"
    )
    max_wait_minutes: Annotated[float, number("minutes", most=1_440)] = Field(
        15, description="how long one request may be retried in all"
    )
    audit_requests: RequestBudget = Field(
        200, description="most requests per run that looking for records deleted at the vendor may cost; 0: never"
    )


class LinkedOptions(SourceOptions):
    """A source whose records may not name their pages: where those are is worked out from its answers."""

    web_url: WebAddress | None = Field(
        None, description="address of the pages, where what the answers show is wrong or nothing"
    )


class PagerDutyOptions(SourceOptions):
    fields: Named[FieldTarget] = Field(default_factory=dict, description="custom field name -> stamp or attribute")
    requests_per_minute: RequestsPerMinute | None = 960  # REST API rate limits: 960 a minute per account key


class OpsgenieOptions(LinkedOptions):
    details: bool = Field(True, description="read each changed alert singly too: only that shows entity and details")


class JsmOptions(LinkedOptions):
    details: bool = Field(True, description="read each changed alert singly too: only that shows extra properties")
    relist_requests: RequestBudget = Field(
        200,
        description="about how many list requests per run look for changes of older closed alerts, where the account's "
        "search knows no updatedAt; 0: only open and recent ones are looked at",
    )


class JiraProject(_Section):
    status: Named[EventType] = Field(default_factory=dict, description="status name -> event, for this project only")


class JiraOptions(LinkedOptions):
    status: Named[EventType] = Field(default_factory=dict, description="status name -> event, before the defaults")
    fields: Named[FieldTarget] = Field(default_factory=dict, description="field name or id -> stamp or attribute")
    projects: Named[JiraProject] = Field(default_factory=dict)


class AlertmanagerOptions(SourceOptions):
    pass


class CustomOptions(SourceOptions):
    pass


class Sources(_Section):
    pagerduty: PagerDutyOptions = PagerDutyOptions()
    opsgenie: OpsgenieOptions = OpsgenieOptions()
    jsm: JsmOptions = JsmOptions()
    jira: JiraOptions = JiraOptions()
    alertmanager: AlertmanagerOptions = AlertmanagerOptions()
    custom: CustomOptions = CustomOptions()


class Service(_Section):
    aliases: tuple[Name, ...] = ()
    team: Name | None = None


class Outliers(_Section):
    enabled: bool = True
    hours: Annotated[float, number("hours")] = 168


class Lifecycle(_Section):
    reopen_hours: Annotated[float, number("hours", or_zero=True)] = Field(
        24, description="a reopen later than this after the resolve starts a new episode"
    )
    flap_minutes: Annotated[float, number("minutes", or_zero=True)] = Field(
        10, description="the same dedup key again this soon after its resolve is one incident"
    )


class Variant(_Section):
    start: Stamp
    end: Stamp

    @model_validator(mode="after")
    def _two_stamps(self) -> Variant:
        if self.start == self.end:
            raise ValueError(f"start and end are both {self.start}; name two different stamps")
        return self


Minutes = Annotated[float, number("minutes")]
#: From 1 on, so that a share like 0.8 is not taken for less than one percent.
Percent = Annotated[float, number("percent", 1, 100)]


class Targets(_Section):
    """Minutes from detected to resolved within which an incident should be over, and optional targets per phase."""

    severities: dict[Severity, Minutes] = Field(default_factory=lambda: dict(DEFAULT_TARGETS))
    services: ByService[dict[Severity, Minutes]] = Field(default_factory=dict)
    phases: dict[Phase, Minutes] = Field(default_factory=dict)
    at_risk_pct: Percent = Field(80, description="a resolved incident beyond this share of its target is at risk")
    availability_pct: Annotated[float, number("percent", 1, 99.999999)] | None = Field(
        None,
        description="share of time a service should be up; with it, downtime says how much error budget is used",
    )

    @field_validator("severities")
    @classmethod
    def _with_defaults(cls, given: dict[Severity, float]) -> dict[Severity, float]:
        return DEFAULT_TARGETS | given


class Threshold(_Section):
    warning: Minutes
    critical: Minutes

    @model_validator(mode="after")
    def _ordered(self) -> Threshold:
        if self.critical < self.warning:
            raise ValueError(f"critical ({self.critical:g}) is below warning ({self.warning:g})")
        return self


DEFAULT_THRESHOLDS: dict[TargetPhase, Threshold] = {
    "detection": Threshold(warning=5, critical=15),
    "acknowledgment": Threshold(warning=5, critical=10),
    "investigation": Threshold(warning=30, critical=60),
    "mitigation": Threshold(warning=15, critical=30),
}


class Thresholds(_Section):
    """Minutes of a phase's mean from which it is a bottleneck."""

    phases: dict[TargetPhase, Threshold] = Field(default_factory=lambda: dict(DEFAULT_THRESHOLDS))
    severities: dict[Severity, dict[TargetPhase, Threshold]] = Field(default_factory=dict)
    services: ByService[dict[TargetPhase, Threshold]] = Field(default_factory=dict)

    @field_validator("phases")
    @classmethod
    def _with_defaults(cls, given: dict[TargetPhase, Threshold]) -> dict[TargetPhase, Threshold]:
        return DEFAULT_THRESHOLDS | given


class Publish(_Section):
    keep: Annotated[int, number("generations", 1, 1_000_000, whole=True)] = Field(
        30, description="generations that stay on disk; older ones are deleted after a publish"
    )


class FileSettings(_Section):
    """The whole of `mttr.toml`."""

    reporting_time_zone: Zone = Field("UTC", description="zone of days, weeks and months in reports")
    sources: Sources = Sources()
    services: ByService[Service] = Field(default_factory=dict)
    outliers: Outliers = Outliers()
    variants: dict[str, Variant] = Field(
        default_factory=dict, description="further calculations between any two stamps"
    )
    targets: Targets = Targets()
    thresholds: Thresholds = Thresholds()
    lifecycle: Lifecycle = Lifecycle()
    publish: Publish = Publish()
    phase_model: Literal["auto", "lifecycle", "coarse"] = "auto"

    @property
    def service_names(self) -> dict[str, str]:
        """Every name of the services in `[services]`, aliases too, folded, and the service that it stands for."""
        return owners({service: entry.aliases for service, entry in self.services.items()})

    @field_validator("services")
    @classmethod
    def _own_aliases(cls, given: dict[str, Service]) -> dict[str, Service]:
        owners({service: entry.aliases for service, entry in given.items()})
        return given

    @model_validator(mode="after")
    def _one_table_for_a_service(self) -> FileSettings:
        names = self.service_names
        for key, tables in (("targets", self.targets.services), ("thresholds", self.thresholds.services)):
            first: dict[str, str] = {}
            for name in tables:
                service = names.get(folded(name), name)
                if (other := first.setdefault(service, name)) != name:
                    raise ValueError(
                        f"'{key}.services': {other!r} and {name!r} are both names of the service {service!r}; keep one of them"
                    )
        return self

    @model_validator(mode="after")
    def _phases_of_the_model(self) -> FileSettings:
        # Under `auto` the model is known when the incidents are.
        if self.phase_model == "coarse" and LIFECYCLE_ONLY in self.targets.phases:
            raise ValueError(
                f"'targets.phases.{LIFECYCLE_ONLY}': the coarse phase model has no such phase; take the target out or set "
                "phase_model to lifecycle or auto"
            )
        return self

    @field_validator("variants")
    @classmethod
    def _own_names(cls, given: dict[str, Variant]) -> dict[str, Variant]:
        # `mttr stats --type custom` stands for two stamps that are named on the spot.
        reserved = (*FIXED_VARIANTS, "custom")
        for name in given:
            if name in reserved or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(
                    f"{name!r}: a variant's name is lower case letters, digits and _, and none of {', '.join(reserved)}"
                )
        return given


class PagerDutyAccess(_Section):
    token: SecretStr
    url: str = "https://api.pagerduty.com"


class OpsgenieAccess(_Section):
    key: SecretStr
    url: str = "https://api.opsgenie.com"


class JsmAccess(_Section):
    """An Atlassian site's Operations: its cloud id, and an account with an API token."""

    cloud_id: str
    email: str
    token: SecretStr
    url: str = "https://api.atlassian.com"


class JiraAccess(_Section):
    """Jira Cloud has `email` and `token`; Jira Data Center only a `token` (personal access token)."""

    url: str
    token: SecretStr
    email: str | None = None
    jql: str | None = None

    @property
    def is_cloud(self) -> bool:
        return self.email is not None


class Settings(_Section):
    """Everything one run needs to know, validated. Credentials are SecretStr: they never print."""

    data_dir: Path
    config_file: Path | None = None
    file: FileSettings = FileSettings()
    pagerduty: PagerDutyAccess | None = None
    opsgenie: OpsgenieAccess | None = None
    jsm: JsmAccess | None = None
    jira: JiraAccess | None = None
    signing_keys: dict[str, SecretStr] = Field(
        default_factory=dict, description="sender -> what the signatures of received bodies are checked with"
    )

    @property
    def enabled_sources(self) -> tuple[str, ...]:
        """The pulled sources whose credentials are set, in a fixed order."""
        return tuple(name for name in VENDORS if getattr(self, name) is not None)


def load_settings(
    env: Mapping[str, str] | None = None, *, data_dir: str | Path | None = None, config: str | Path | None = None
) -> Settings:
    """Read environment and configuration file.

    `data_dir` and `config` are the command line's and win over MTTR_DATA_DIR and MTTR_CONFIG.
    Raises ConfigError, naming the variable, file or key and the remedy.
    """
    env = os.environ if env is None else env
    config_file, file = _read_file(config or env.get("MTTR_CONFIG"))
    return Settings(
        data_dir=Path(data_dir or env.get("MTTR_DATA_DIR") or "data").expanduser(),
        config_file=config_file,
        file=file,
        pagerduty=_pagerduty(env),
        opsgenie=_opsgenie(env),
        jsm=_jsm(env),
        jira=_jira(env),
        signing_keys={
            sender: secret
            for sender, variable in WEBHOOK_SECRETS.items()
            if (secret := _secret(env, variable)) is not None
        },
    )


def parse_instant(text: str, name: str) -> datetime:
    """An ISO 8601 instant from the command line; without an offset it is UTC. `name` is the option, for the error."""
    try:
        value = datetime.fromisoformat(text)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{name}: {text!r} is no ISO 8601 instant; write it like 2026-01-31 or 2026-01-31T12:00:00Z."
        ) from error


def _read_file(chosen: str | Path | None) -> tuple[Path | None, FileSettings]:
    path = Path(chosen).expanduser() if chosen else Path("mttr.toml")
    if not path.exists():
        if chosen:
            raise ConfigError(f"The configuration file {path} does not exist; correct --config or MTTR_CONFIG.")
        return None, FileSettings()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid TOML: {error}. Correct that line and start again.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        return path, FileSettings.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, FileSettings)}") from error


def _url(env: Mapping[str, str], name: str, default: str | None = None) -> str:
    value = env.get(name, "").strip() or default or ""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{name} must be an address like https://host/path; correct it.")
    if parts.username or parts.password:
        raise ConfigError(f"{name} must not carry a user name or password; put credentials in their own variables.")
    if parts.query or parts.fragment:
        raise ConfigError(f"{name} must not carry a query or fragment; only scheme, host and path.")
    return value.rstrip("/")


def _secret(env: Mapping[str, str], name: str) -> SecretStr | None:
    value = env.get(name, "").strip()
    if not value:
        return None
    if not value.isascii() or any(ch.isspace() for ch in value):
        raise ConfigError(f"{name} contains white space or non-ASCII characters; copy the credential again.")
    return SecretStr(value)


def _pagerduty(env: Mapping[str, str]) -> PagerDutyAccess | None:
    token = _secret(env, "PAGERDUTY_TOKEN")
    if token is None:
        return None
    return PagerDutyAccess(token=token, url=_url(env, "PAGERDUTY_API_URL", "https://api.pagerduty.com"))


def _opsgenie(env: Mapping[str, str]) -> OpsgenieAccess | None:
    key = _secret(env, "OPSGENIE_API_KEY")
    if key is None:
        return None
    return OpsgenieAccess(key=key, url=_url(env, "OPSGENIE_API_URL", "https://api.opsgenie.com"))


def _jsm(env: Mapping[str, str]) -> JsmAccess | None:
    token = _secret(env, "JSM_API_TOKEN")
    given = {name: env.get(name, "").strip() for name in ("JSM_CLOUD_ID", "JSM_EMAIL")}
    if token is None and not given["JSM_CLOUD_ID"]:
        return None
    missing = [name for name, value in {**given, "JSM_API_TOKEN": token}.items() if not value]
    if missing:
        raise ConfigError(
            f"JSM Operations needs JSM_CLOUD_ID, JSM_EMAIL and JSM_API_TOKEN; not set: {', '.join(missing)}. "
            "The cloud id of a site is shown at https://<site>.atlassian.net/_edge/tenant_info."
        )
    if not re.fullmatch(r"[0-9A-Za-z-]+", given["JSM_CLOUD_ID"]):
        raise ConfigError(
            "JSM_CLOUD_ID is no cloud id; copy it from https://<site>.atlassian.net/_edge/tenant_info (letters, digits, -)."
        )
    assert token is not None
    return JsmAccess(
        cloud_id=given["JSM_CLOUD_ID"],
        email=given["JSM_EMAIL"],
        token=token,
        url=_url(env, "JSM_API_URL", "https://api.atlassian.com"),
    )


def _jira(env: Mapping[str, str]) -> JiraAccess | None:
    cloud, personal = _secret(env, "JIRA_API_TOKEN"), _secret(env, "JIRA_PERSONAL_TOKEN")
    if cloud and personal:
        raise ConfigError(
            "JIRA_API_TOKEN (Cloud) and JIRA_PERSONAL_TOKEN (Data Center) are both set; keep the one for JIRA_URL."
        )
    token = cloud or personal
    if not token:
        return None
    email = env.get("JIRA_EMAIL", "").strip() or None
    if cloud and not email:
        raise ConfigError("JIRA_API_TOKEN is set but JIRA_EMAIL is not; Jira Cloud needs both.")
    if not env.get("JIRA_URL", "").strip():
        raise ConfigError(
            "A Jira token is set but JIRA_URL is not; set it to the site's address, like https://acme.atlassian.net."
        )
    return JiraAccess(
        url=_url(env, "JIRA_URL"),
        token=token,
        email=email if cloud else None,
        jql=env.get("JIRA_JQL", "").strip() or None,
    )
