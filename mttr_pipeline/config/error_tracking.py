"""`[errors]` of `mttr.toml`: which issues of error trackers are incidents, and which are looked at first."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from mttr_pipeline.config.names import ByService, Words
from mttr_pipeline.config.options import Section
from mttr_pipeline.config.terms import Severity
from mttr_pipeline.config.values import number

Level = Literal["fatal", "error", "warning", "info", "debug"]
LEVELS: tuple[Level, ...] = get_args(Level)
PathValue = Annotated[float, number("points", 0.001, 1_000_000, or_zero=True)]

DEFAULT_SEVERITIES: dict[Level, Severity] = {
    "fatal": "SEV2",
    "error": "SEV3",
    "warning": "SEV4",
    "info": "SEV4",
    "debug": "SEV4",
}


class ErrorGate(Section):
    """`[errors.incidents]`: which issues are records of incidents. All others are evidence in `error_issues`."""

    enabled: bool = Field(
        False,
        description="whether issues that pass are records of incidents, as machine alerts; archived ones never pass",
    )
    levels: tuple[Level, ...] = Field(("fatal", "error"), description="levels that may pass")
    new_in_release: bool = Field(
        True, description="whether one passes whose first release a production deploy of its service brought out"
    )
    unhandled: bool = Field(True, description="whether one passes that nothing handled")
    users: Annotated[int, number("users", 1, 1_000_000_000, whole=True)] | None = Field(
        100, description="one that affected so many users passes"
    )
    severities: dict[Level, Severity] = Field(
        default_factory=lambda: dict(DEFAULT_SEVERITIES), description="level -> severity of the incident"
    )
    urgent: Severity = Field(
        "SEV2",
        description="severity of an unhandled one whose priority at the vendor is high, unless its level gives a worse one",
    )

    @field_validator("severities")
    @classmethod
    def _with_defaults(cls, given: dict[Level, Severity]) -> dict[Level, Severity]:
        return DEFAULT_SEVERITIES | given


class PathValues(Section):
    """`[errors.path_values]`: what the part of the product is worth that an issue is in: the largest value that applies."""

    services: ByService[PathValue] = Field(
        default_factory=dict, description="service -> its value; 0 for one that is not named"
    )
    tags: Words[PathValue] = Field(default_factory=dict, description="tag of issues, as `key:value` -> its value")


class Errors(Section):
    """`[errors]`: what issues of error trackers mean. They are looked at in the order of `triage_rank` in `error_issues`."""

    incidents: ErrorGate = ErrorGate()
    path_values: PathValues = PathValues()
