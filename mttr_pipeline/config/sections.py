"""The tables of `mttr.toml` that are not about a source: their keys, defaults and limits."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from mttr_pipeline.config.error_tracking import Errors
from mttr_pipeline.config.imports import ImportPreset
from mttr_pipeline.config.names import ByService, Name, normalize, owners
from mttr_pipeline.config.oncall import OnCall
from mttr_pipeline.config.options import Section, Vocabulary
from mttr_pipeline.config.terms import (
    FIXED_VARIANTS,
    LIFECYCLE_ONLY,
    LINK_REASONS,
    LinkReason,
    Phase,
    Severity,
    Stamp,
    TargetPhase,
)
from mttr_pipeline.config.values import (
    CronSchedule,
    Kinds,
    OpenOptions,
    Owner,
    PlaceAddress,
    Tags,
    Weight,
    Zone,
    number,
)

Minutes = Annotated[float, number("minutes")]
#: From 1 on, so that a share like 0.8 is not taken for less than one percent.
Percent = Annotated[float, number("percent", 1, 100)]

DEFAULT_TARGETS: dict[Severity, float] = {"SEV1": 30, "SEV2": 120, "SEV3": 480, "SEV4": 1440}


class Service(Section):
    """`[services.<name>]`: the other names of a service, and the team that owns it."""

    aliases: tuple[Name, ...] = ()
    team: Name | None = None


class Outliers(Section):
    """`[outliers]`: durations above the limit are left out of mean and percentiles."""

    enabled: bool = True
    hours: Annotated[float, number("hours")] = 168


class Lifecycle(Section):
    """`[lifecycle]`: when a reopen or a repeat belongs to the same incident."""

    reopen_hours: Annotated[float, number("hours", or_zero=True)] = Field(
        24, description="a reopen later than this after the resolve starts a new episode"
    )
    flap_minutes: Annotated[float, number("minutes", or_zero=True)] = Field(
        10, description="the same dedup key again this soon after its resolve is one incident"
    )
    abandoned_days: Annotated[float, number("days")] = Field(
        7, description="an open incident without an event or an update at the vendor for this long is abandoned"
    )


class Correlation(Section):
    """`[correlation]`: whether the records of several tools that are about one incident are counted once."""

    enabled: bool = Field(
        True,
        description="whether links between records join them; merged and duplicate records are counted once in any case",
    )
    reasons: tuple[LinkReason, ...] = Field(
        LINK_REASONS, description="the kinds of links that join; decisions in `links.csv` always do"
    )


class Deploys(Section):
    """`[deploys]`: which deploy introduced an incident."""

    window_minutes: Annotated[float, number("minutes", or_zero=True)] = Field(
        60, description="a deploy that finished this long before the impact began may have introduced the incident"
    )


class Variant(Section):
    """`[variants.<name>]`: a calculation between two stamps."""

    start: Stamp
    end: Stamp

    @model_validator(mode="after")
    def _two_stamps(self) -> Variant:
        if self.start == self.end:
            raise ValueError(f"start and end are both {self.start}; name two different stamps")
        return self


class Targets(Section):
    """Minutes from detected to resolved within which an incident should be resolved, and optional targets per phase."""

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


DEFAULT_WEIGHTS: dict[Severity, float] = {"SEV1": 1, "SEV2": 1, "SEV3": 0.3, "SEV4": 0}


class Downtime(Section):
    """`[downtime]`: the part of a service that an incident takes down, from 0 (none) to 1 (all of it)."""

    severities: dict[Severity, Weight] = Field(default_factory=lambda: dict(DEFAULT_WEIGHTS))
    services: ByService[dict[Severity, Weight]] = Field(default_factory=dict)
    count_noise: bool = Field(
        False, description="whether incidents count that resolved automatically and that nobody acknowledged"
    )

    @field_validator("severities")
    @classmethod
    def _with_defaults(cls, given: dict[Severity, float]) -> dict[Severity, float]:
        return DEFAULT_WEIGHTS | given


class Threshold(Section):
    """Minutes from which a phase is at its warning and its critical level."""

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


class Thresholds(Section):
    """Minutes of a phase's mean from which it is a bottleneck."""

    phases: dict[TargetPhase, Threshold] = Field(default_factory=lambda: dict(DEFAULT_THRESHOLDS))
    severities: dict[Severity, dict[TargetPhase, Threshold]] = Field(default_factory=dict)
    services: ByService[dict[TargetPhase, Threshold]] = Field(default_factory=dict)

    @field_validator("phases")
    @classmethod
    def _with_defaults(cls, given: dict[TargetPhase, Threshold]) -> dict[TargetPhase, Threshold]:
        return DEFAULT_THRESHOLDS | given


class Keep(Section):
    """`[publish.keep]`: the published generations that stay on disk. The newest two always do: someone may be reading either."""

    nights: Annotated[int, number("nights", 1, 1_000_000, whole=True)] = Field(
        7, description="the newest generation of each of so many days (UTC) that have one"
    )
    weeks: Annotated[int, number("weeks", 1, 1_000_000, or_zero=True, whole=True)] = Field(
        4, description="the newest generation of each of so many calendar weeks that have one"
    )
    months: Annotated[int, number("months", 1, 1_000_000, or_zero=True, whole=True)] = Field(
        12, description="the newest generation of each of so many months that have one"
    )


class Publish(Section):
    """`[publish]`: what stays on disk, who may read it, and where else it goes."""

    keep: Keep = Keep()
    may_vanish_pct: Annotated[float, number("percent", 0.001, 100, or_zero=True)] = Field(
        0,
        description="percent of a source's published records that may be gone in the next generation without the vendor having "
        "deleted them",
    )
    group: str | None = Field(
        None, description="group of the published files; none: the first one of the user who runs"
    )
    mode: Annotated[
        str, Field(description="rights of the published files; mttr.duckdb has them without those to write")
    ] = "0644"

    to: PlaceAddress | None = Field(
        None,
        description="a second place: the address of a bucket or folder that each generation is copied to, such as "
        "`s3://bucket/prefix`",
    )
    to_options: OpenOptions = Field(
        default_factory=dict,
        description="options of the file system of that address, as fsspec names them, such as `endpoint_url`; never credentials",
    )

    @field_validator("keep", mode="before")
    @classmethod
    def _nights_alone(cls, given: Any) -> Any:
        # Earlier releases had one number.
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        return {"nights": given, "weeks": 0, "months": 0} if is_number else given

    @field_validator("mode")
    @classmethod
    def _readable_by_us(cls, given: str) -> str:
        if not re.fullmatch(r"0?6[0246]{2}", given):
            raise ValueError(
                f"{given!r} is no mode of files that their owner reads and writes; use one such as '0640' or '0644'"
            )
        return given


class People(Section):
    """`[people]`: what readers see of persons."""

    publish_names: bool = Field(
        False,
        description="whether names and e-mail addresses of persons are published as they came, without pseudonyms",
    )


class Run(Section):
    """`[run]`: limits of one run, and what happens when a source fails."""

    max_hours: Annotated[float, number("hours", 0.00001, 8_760)] = Field(
        8,
        description="a run pulls nothing more after this long; it goes on with what was landed, and the next run with the rest",
    )
    retry_minutes: Annotated[float, number("minutes", 0.00001, 60, or_zero=True)] = Field(
        5,
        description="in Dagster, a pull or copy that failed for a reason that may pass is tried once more after this long; 0: never",
    )
    fail_when_stale: bool = Field(
        False, description="whether a run in which a source failed ends as failed, after it has published"
    )


class LandingZone(Section):
    """`[landing]`: how long raw records stay."""

    keep_days: Annotated[float, number("days", 30, 36_500)] | None = Field(
        None,
        description="`mttr compact` removes what was received longer ago; records that did not change since leave the tables",
    )


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Alerts(Section):
    """`[alerts]`: what people are told. Where it is told to stands in the environment: those addresses are secrets."""

    services: bool = Field(
        False, description="whether a missed target or slower recovery of a single service is told too"
    )
    abandoned_incidents: Annotated[int, number("incidents", 1, 1_000_000, or_zero=True, whole=True)] = Field(
        10, description="more abandoned incidents than this are told"
    )
    digest: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] | None = Field(
        None, description="weekday on which the head of the page is told, in the reporting time zone; none: never"
    )


class Dagster(Section):
    """`[dagster]`: what Dagster shows of the assets, and when it runs. Nothing of it changes a figure."""

    schedule: CronSchedule = Field("15 3 * * *", description="when the schedule `daily` runs the nightly job")
    time_zone: Zone = Field("UTC", description="zone of that schedule")
    freshness_hours: Annotated[float, number("hours", 1, 8_760, or_zero=True)] = Field(
        36, description="a pull or a report that is older is shown as overdue; 0 turns this off"
    )
    owners: tuple[Owner, ...] = Field(
        ("team:incident-metrics",), description="whose the assets are: e-mail addresses, or teams like `team:sre`"
    )
    tags: Tags = Field(default_factory=dict, description="tags of every asset")
    kinds: Kinds = Field((), description="kinds of every asset, beside those that it has")
    keep_runs_days: Annotated[float, number("days", 1, 36_500)] | None = Field(
        None, description="runs that began longer ago are deleted from Dagster's records; none: all stay"
    )


class NoSources(Section):
    """`[sources]` before the sources are known."""


class FileSettings(Section):
    """The whole of `mttr.toml`. `sources` has one field per account; `settings.file_model` makes its type."""

    reporting_time_zone: Zone = Field("UTC", description="zone of days, weeks and months in reports")
    sources: Any = NoSources()
    vocabulary: Vocabulary = Vocabulary()
    services: ByService[Service] = Field(default_factory=dict)
    outliers: Outliers = Outliers()
    variants: dict[str, Variant] = Field(
        default_factory=dict, description="further calculations between any two stamps"
    )
    targets: Targets = Targets()
    thresholds: Thresholds = Thresholds()
    downtime: Downtime = Downtime()
    lifecycle: Lifecycle = Lifecycle()
    correlation: Correlation = Correlation()
    deploys: Deploys = Deploys()
    errors: Errors = Errors()
    oncall: OnCall = OnCall()
    publish: Publish = Publish()
    people: People = People()
    run: Run = Run()
    landing: LandingZone = LandingZone()
    alerts: Alerts = Alerts()
    dagster: Dagster = Dagster()
    imports: dict[str, ImportPreset] = Field(
        default_factory=dict, description="presets of your own for `mttr import --as`"
    )
    phase_model: Literal["auto", "lifecycle", "coarse"] = "auto"

    @property
    def service_names(self) -> dict[str, str]:
        """Every name of the services in `[services]`, aliases too, as it is compared, and its service."""
        return owners({service: entry.aliases for service, entry in self.services.items()})

    @field_validator("services")
    @classmethod
    def _own_aliases(cls, given: dict[str, Service]) -> dict[str, Service]:
        owners({service: entry.aliases for service, entry in given.items()})
        return given

    @model_validator(mode="after")
    def _one_table_for_a_service(self) -> FileSettings:
        names = self.service_names
        for key, tables in (
            ("targets", self.targets.services),
            ("thresholds", self.thresholds.services),
            ("downtime", self.downtime.services),
            ("errors.path_values", self.errors.path_values.services),
        ):
            first: dict[str, str] = {}
            for name in tables:
                service = names.get(normalize(name), name)
                if (other := first.setdefault(normalize(service), name)) != name:
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

    @field_validator("imports")
    @classmethod
    def _names_of_presets(cls, given: dict[str, ImportPreset]) -> dict[str, ImportPreset]:
        for name in given:
            if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
                raise ValueError(
                    f"{name!r}: a preset's name is lower case letters, digits, - and _, and begins with a letter"
                )
        return given

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
