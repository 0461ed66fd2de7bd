"""Settings: secrets and the addresses that are asked from the environment, everything else from an optional `mttr.toml`.

What belongs here: names, defaults and validation of everything a user can set. What does not: any use of it.
Unknown keys are errors that name the key, so that a misspelt setting is never silently ignored.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

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
FIXED_VARIANTS: dict[str, tuple[Stamp, Stamp]] = {
    "basic": ("detected_at", "resolved_at"),
    "service_restore": ("detected_at", "mitigated_at"),
    "full_recovery": ("detected_at", "closed_at"),
}
DEFAULT_TARGETS: dict[Severity, float] = {"SEV1": 30, "SEV2": 120, "SEV3": 480, "SEV4": 1440}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _zone(value: str | None) -> str | None:
    if value is not None:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is no IANA time zone (an example: 'Europe/Berlin')") from error
    return value


class SourceOptions(_Section):
    """What every source can be told in `[sources.<name>]`."""

    since: date | datetime | None = Field(None, description="how far the first pull reaches back; default 730 days")
    time_zone: str | None = Field(
        None, description="zone of instants that carry no offset; none: such records go to quarantine"
    )
    severity: dict[str, Severity] = Field(
        default_factory=dict, description="vendor value -> SEV1..SEV4, added to the defaults"
    )
    root_cause_patterns: tuple[str, ...] = Field(
        ("Root cause found:",), description="a note that starts so carries the root_cause_found stamp"
    )
    mitigated_patterns: tuple[str, ...] = Field(
        ("Mitigated:",), description="a note that starts so carries the mitigated stamp"
    )
    requests_per_minute: int | None = Field(
        None, gt=0, description="upper bound of requests a minute; default: what the vendor documents"
    )
    connections: int = Field(8, gt=0, le=64, description="parallel requests")
    lag_minutes: int = Field(30, ge=0, description="the high-water mark stays this far behind the clock of the run")
    lookback_days: int = Field(14, ge=0, description="records created this recently are read again on every run")
    timeout_seconds: float = Field(60, gt=0, description="how long one response may take, all of it")
    max_wait_minutes: float = Field(15, gt=0, description="how long one request may be retried in all")
    audit_requests: int = Field(
        200, ge=0, description="most requests per run that looking for records deleted at the vendor may cost; 0: never"
    )

    _check_zone = field_validator("time_zone")(_zone)


def _web_address(value: str) -> str:
    if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", value):
        raise ValueError("scheme, host and path of a web address and nothing else, like https://acme.atlassian.net")
    return value.rstrip("/")


class LinkedOptions(SourceOptions):
    """A source whose records may not name their pages: where those are is worked out from its answers."""

    web_url: str | None = Field(
        None, description="address of the pages, where what the answers show is wrong or nothing"
    )

    _check_address = field_validator("web_url")(_web_address)


class PagerDutyOptions(SourceOptions):
    fields: dict[str, FieldTarget] = Field(default_factory=dict, description="custom field name -> stamp or attribute")
    requests_per_minute: int | None = Field(960, gt=0)  # REST API rate limits: 960 a minute per account key


class OpsgenieOptions(LinkedOptions):
    details: bool = Field(True, description="read each changed alert singly too: only that shows entity and details")


class JsmOptions(LinkedOptions):
    details: bool = Field(True, description="read each changed alert singly too: only that shows extra properties")
    relist_requests: int = Field(
        200,
        ge=0,
        description="about how many list requests per run look for changes of older closed alerts, where the account's "
        "search knows no updatedAt; 0: only open and recent ones are looked at",
    )


class JiraProject(_Section):
    status: dict[str, EventType] = Field(
        default_factory=dict, description="status name -> event, for this project only"
    )


class JiraOptions(LinkedOptions):
    status: dict[str, EventType] = Field(default_factory=dict, description="status name -> event, before the defaults")
    fields: dict[str, FieldTarget] = Field(default_factory=dict, description="field name or id -> stamp or attribute")
    projects: dict[str, JiraProject] = Field(default_factory=dict)


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
    aliases: tuple[str, ...] = ()
    team: str | None = None


class Outliers(_Section):
    enabled: bool = True
    hours: float = Field(168, gt=0)


class Lifecycle(_Section):
    reopen_hours: float = Field(24, ge=0, description="a reopen later than this after the resolve starts a new episode")
    flap_minutes: float = Field(
        10, ge=0, description="the same dedup key again this soon after its resolve is one incident"
    )


class Variant(_Section):
    start: Stamp
    end: Stamp

    @model_validator(mode="after")
    def _two_stamps(self) -> Variant:
        if self.start == self.end:
            raise ValueError(f"start and end are both {self.start}; name two different stamps")
        return self


Minutes = Annotated[float, Field(gt=0)]


class Targets(_Section):
    """Minutes from detected to resolved within which an incident should be over, and optional targets per phase."""

    severities: dict[Severity, Minutes] = Field(default_factory=lambda: dict(DEFAULT_TARGETS))
    services: dict[str, dict[Severity, Minutes]] = Field(default_factory=dict)
    phases: dict[Phase, Minutes] = Field(default_factory=dict)
    at_risk_pct: float = Field(
        80, gt=0, le=100, description="a resolved incident beyond this share of its target is at risk"
    )
    availability_pct: float | None = Field(
        None,
        gt=0,
        lt=100,
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
            raise ValueError("critical is below warning")
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
    services: dict[str, dict[TargetPhase, Threshold]] = Field(default_factory=dict)

    @field_validator("phases")
    @classmethod
    def _with_defaults(cls, given: dict[TargetPhase, Threshold]) -> dict[TargetPhase, Threshold]:
        return DEFAULT_THRESHOLDS | given


class Publish(_Section):
    keep: int = Field(30, gt=0, description="generations that stay on disk; older ones are deleted after a publish")


class FileSettings(_Section):
    """The whole of `mttr.toml`."""

    reporting_time_zone: str = Field("UTC", description="zone of days, weeks and months in reports")
    sources: Sources = Sources()
    services: dict[str, Service] = Field(default_factory=dict)
    outliers: Outliers = Outliers()
    variants: dict[str, Variant] = Field(
        default_factory=dict, description="further calculations between any two stamps"
    )
    targets: Targets = Targets()
    thresholds: Thresholds = Thresholds()
    lifecycle: Lifecycle = Lifecycle()
    publish: Publish = Publish()
    phase_model: Literal["auto", "lifecycle", "coarse"] = "auto"

    _check_zone = field_validator("reporting_time_zone")(_zone)

    @field_validator("variants")
    @classmethod
    def _own_names(cls, given: dict[str, Variant]) -> dict[str, Variant]:
        for name in given:
            if name in FIXED_VARIANTS or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(
                    f"{name!r}: a variant's name is lower case letters, digits and _, and none of {', '.join(FIXED_VARIANTS)}"
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
        raise ConfigError(f"{path}: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    """The first finding as a sentence: the key as it is written in the file, and what would be right."""
    finding = error.errors()[0]
    key = ".".join(str(part) for part in finding["loc"])
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if finding["type"] == "extra_forbidden":
        known = ", ".join(_keys_at(finding["loc"][:-1]))
        return f"unknown key {key!r}; known there: {known}.{more}"
    return f"{key!r}: {finding['msg']} (found {finding['input']!r}).{more}"


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    model: Any = FileSettings
    for part in location:
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        if field is None:  # a user-chosen name such as a service: its values are the model
            continue
        annotation = field.annotation
        model = next((arg for arg in getattr(annotation, "__args__", ()) if hasattr(arg, "model_fields")), annotation)
    return sorted(model.model_fields) if hasattr(model, "model_fields") else []


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
