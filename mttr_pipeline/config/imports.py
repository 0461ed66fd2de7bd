"""`[imports.<name>]`: presets of one's own, for files that other programs write (`mttr import --as <name>`)."""

from __future__ import annotations

import codecs
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mttr_pipeline.config.names import Text, Words
from mttr_pipeline.config.options import Section
from mttr_pipeline.config.terms import STAMPS, Severity, Stamp

#: The fields of a custom record that a column can fill.
KNOWN_FIELDS = (
    *("external_id", "title", "url", "severity", "status", "kind", *STAMPS, "service", "team", "tags"),
    *("root_cause_category", "affected_users", "revenue_impact", "duplicate_of", "resolution_kind", "updated_at"),
    "timeline",
)
Status = Literal["detected", "acknowledged", "investigating", "mitigated", "resolved", "closed"]
Unit = Literal["milliseconds", "seconds", "minutes", "hours", "days"]


def _columns(given: dict[str, str]) -> dict[str, str]:
    for name in given:
        if name not in KNOWN_FIELDS:
            raise ValueError(f"{name!r} is no field of a custom record; the fields are {', '.join(KNOWN_FIELDS)}")
    return given


def _encoding(name: str) -> str:
    try:
        if not codecs.lookup(name)._is_text_encoding:
            raise LookupError
    except (LookupError, ValueError):
        raise ValueError("must be an encoding that Python knows, like 'cp1252' or 'utf-16'") from None
    return name


def _delimiter(text: str) -> str:
    if len(text) != 1 or not text.isascii() or text.isalnum() or text in "\"\r\n\0'\\":
        raise ValueError(r"must be one character, like ';', '|' or '\t'")
    return text


def _time_format(text: str) -> str:
    if not re.search(r"%[YyGsc]", text) or not re.search(r"%[mbBjc]", text) or re.search(r"%[^a-zA-Z%-]|%$", text):
        raise ValueError("must be a format of strptime with year, month and day, like '%d.%m.%Y %H:%M'")
    return text


class Duration(Section):
    """A timestamp that a file gives as a time after another one: `{ column = "seconds_to_ack", unit = "seconds", after =
    "detected_at" }`."""

    column: Text
    unit: Unit = "seconds"
    after: Stamp = "detected_at"


class ImportPreset(Section):
    """`[imports.<name>]`: how a file of another program becomes custom records."""

    columns: Annotated[dict[str, Text], AfterValidator(_columns)] = Field(
        description="field of a custom record -> the file's column; in JSON also a path, like `attributes.title`. It must name "
        "`external_id`"
    )
    time_format: Annotated[str, AfterValidator(_time_format)] | None = Field(
        None, description="strptime format of timestamps, like `%d.%m.%Y %H:%M`; none: ISO 8601"
    )
    null_values: tuple[str, ...] = Field((), description="further words that say nothing, such as `-`")
    delimiter: Annotated[str, BeforeValidator(str), AfterValidator(_delimiter)] | None = Field(
        None, description="what separates the columns of a CSV file; none: the header line shows it"
    )
    encoding: Annotated[str, AfterValidator(_encoding)] | None = Field(
        None, description="encoding of the file, such as `cp1252`; none: UTF-8, or UTF-16 with a byte order mark"
    )
    durations: dict[Stamp, Duration] = Field(
        default_factory=dict,
        description="timestamp -> the column that holds a time since another timestamp, its `unit` (milliseconds, seconds, "
        "minutes, hours or days; default seconds) and `after` (default `detected_at`)",
    )
    status: Words[Status] = Field(
        default_factory=dict,
        description="the file's word -> detected, acknowledged, investigating, mitigated, resolved or closed",
    )
    severity: Words[Severity] = Field(default_factory=dict, description="the file's word -> severity")
    records: Text | None = Field(
        None, description="in JSON, where the list of records stands, like `data` or `result.items`"
    )

    @model_validator(mode="after")
    def _complete(self) -> ImportPreset:
        if "external_id" not in self.columns:
            raise ValueError("columns must name external_id: the column that holds the record's own id")
        for stamp, duration in self.durations.items():
            if stamp in self.columns:
                raise ValueError(f"{stamp} stands in columns and in durations; keep one of them")
            if duration.after not in self.columns:
                raise ValueError(f"durations.{stamp} counts from {duration.after}, which columns does not name")
        return self
