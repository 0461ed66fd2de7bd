"""What `[sources.<name>]` may say. A source adds its own settings by a subclass in its room.

What does not belong here: any source's own setting, any use of a setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from mttr_pipeline.config.names import Text, Words, distinct, normalize
from mttr_pipeline.config.terms import (
    DetectionSource,
    EnvironmentKind,
    EventType,
    RecordType,
    Resolution,
    Role,
    Severity,
)
from mttr_pipeline.config.values import Day, ProxyAddress, WebAddress, Zone, number

DEFAULT_BACKFILL_DAYS = 730
#: The kinds of words that vendors choose and we map, and the table of a source that maps them where it is named otherwise.
WORD_KINDS = ("severity", "status", "resolution", "type", "field", "environment", "detection")
TABLES = {"field": "fields"}
RequestsPerMinute = Annotated[int, number("requests", 1, 1_000_000, whole=True)]
RequestBudget = Annotated[int, number("requests", 0, 1_000_000, whole=True)]


class Section(BaseModel):
    """A table of `mttr.toml`: an unknown key is an error, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceOptions(Section):
    """What every source can be told in `[sources.<name>]`."""

    kind: str | None = Field(
        None, description="source that this account belongs to; needed if the table is not named after a source"
    )
    role: Role | None = Field(
        None,
        description="pager, ticket, machine alert or channel: advice speaks of pages only for acknowledgements in a pager; "
        "none: as the source declares",
    )
    since: Day | None = Field(
        None, description="date or instant, from 1970 on, at which the first pull starts; none: 730 days ago"
    )
    time_zone: Zone | None = Field(
        None,
        description="IANA zone of timestamps without an offset; none: records with such timestamps go to quarantine",
    )
    severity: Words[Severity] = Field(default_factory=dict, description="the source's word -> severity")
    status: Words[EventType] = Field(default_factory=dict, description="status -> event")
    detection: Words[DetectionSource] = Field(
        default_factory=dict,
        description="who or what noticed an incident (value of a field mapped to `detected_by`, name of an integration, kind of "
        "reporter) -> monitor, customer, employee, release or unknown",
    )
    root_cause_patterns: tuple[Text, ...] = Field(
        ("Root cause found:",),
        description="a responder's note that starts with one of these sets `root_cause_found_at`; case is ignored",
    )
    mitigated_patterns: tuple[Text, ...] = Field(("Mitigated:",), description="the same for `mitigated_at`")
    requests_per_minute: RequestsPerMinute | None = Field(
        None, description="upper limit; a 429 response of the vendor is obeyed in any case"
    )
    connections: Annotated[int, number("requests", 1, 64, whole=True)] = Field(
        8, description="parallel requests, at most 64"
    )
    lag_minutes: Annotated[int, number("minutes", 0, whole=True)] = Field(
        30, description="the high-water mark stays this far behind the time of the run"
    )
    lookback_days: Annotated[int, number("days", 0, whole=True)] = Field(
        14, description="every run reads the records again that were created within this many days"
    )
    timeout_seconds: Annotated[float, number("seconds", most=86_400)] = Field(
        60, description="time limit for one response, from the request to its last byte; at most one day"
    )
    max_hours: Annotated[float, number("hours", 0.00001, 8_760)] = Field(
        4, description="time limit for one pull; the next run goes on where it ended"
    )
    max_wait_minutes: Annotated[float, number("minutes", most=1_440)] = Field(
        15, description="total time for retries of one request; at most one day"
    )
    audit_requests: RequestBudget = Field(
        200,
        description="request budget per run for finding records that were deleted at the vendor; 0 turns this off",
    )
    proxy: ProxyAddress | None = Field(
        None, description="address of the HTTP proxy to this vendor; none: that of `HTTPS_PROXY` or `HTTP_PROXY`"
    )
    ca_bundle: Text | None = Field(
        None,
        description="file (PEM) or folder of the certificates to trust; none: `REQUESTS_CA_BUNDLE` or `SSL_CERT_FILE`, else "
        "the public ones",
    )
    client_cert: Text | None = Field(
        None, description="file (PEM) of the certificate to show to a vendor or proxy that asks for one"
    )
    client_key: Text | None = Field(
        None, description="file (PEM) of its key, without a pass phrase; none: `client_cert` holds it too"
    )

    @model_validator(mode="after")
    def _key_of_a_certificate(self) -> Self:
        if self.client_key and not self.client_cert:
            raise ValueError("client_key is the key of client_cert; set client_cert too")
        return self

    @classmethod
    def word_tables(cls) -> dict[str, str]:
        """The kinds of words that the source has: kind -> the table of this section that maps them."""
        tables = {kind: TABLES.get(kind, kind) for kind in WORD_KINDS}
        return {kind: table for kind, table in tables.items() if table in cls.model_fields}

    def configured_words(self) -> Iterator[tuple[str, str, str, str]]:
        """Every word that this section maps: kind, scope (empty: everywhere), word as written, meaning."""
        for kind, table in self.word_tables().items():
            for word, meaning in getattr(self, table).items():
                yield kind, "", word, meaning

    def patterns(self) -> tuple[str, ...]:
        """Regular expressions that the SQL of the source reads from `config.patterns`."""
        return ()

    def sql_settings(self) -> Iterator[tuple[str, str, str]]:
        """Further settings that the SQL of the source reads from `config.source_settings`: name, key (may be empty), value."""
        return iter(())

    def with_vocabulary(self, vocabulary: Vocabulary) -> Self:
        """This section with the words of `[vocabulary]` added to its tables. A word that it maps itself keeps that meaning."""
        added = {}
        for kind, table in self.word_tables().items():
            own = getattr(self, table)
            taken = {normalize(word) for word in own}
            words = {
                word: meaning for word, meaning in vocabulary.of_kind(kind).items() if normalize(word) not in taken
            }
            if words:
                added[table] = words | own
        return self.model_copy(update=added)


class LinkedOptions(SourceOptions):
    """A source whose records may not name their pages: where those are is worked out from its answers."""

    web_url: WebAddress | None = Field(
        None, description="base address of links to records; none: taken from the landed records"
    )


class DeployOptions(SourceOptions):
    """A source of deploys."""

    environment: Words[EnvironmentKind] = Field(
        default_factory=dict,
        description="environment -> production or other; by default `prod`, `production` and `live` are production and usual "
        "names such as `staging` are other; any other name is other, and told in the data quality",
    )
    unnamed_environment: Text | None = Field(
        None, description="environment of deploys that name none; none: they are not production"
    )
    services: Annotated[dict[Text, Text | tuple[Text, ...]], AfterValidator(distinct)] = Field(
        default_factory=dict,
        description="repository or project -> the service, or the list of services, that its deploys bring out; one that is "
        "not named is a service of its own name",
    )


class Vocabulary(Section):
    """Words for all sources, in `[vocabulary.<kind>]`. Those of a source go before them."""

    severity: Words[Severity] = Field(default_factory=dict, description="severity word -> SEV1..SEV4")
    status: Words[EventType] = Field(default_factory=dict, description="status name -> event")
    resolution: Words[Resolution] = Field(
        default_factory=dict, description="resolution name -> incident, false_alarm or duplicate"
    )
    type: Words[RecordType] = Field(default_factory=dict, description="issue type -> incident, post_mortem or other")
    detection: Words[DetectionSource] = Field(
        default_factory=dict,
        description="who or what noticed an incident -> monitor, customer, employee, release or unknown",
    )
    environment: Words[EnvironmentKind] = Field(
        default_factory=dict, description="environment that deploys go to -> production or other"
    )

    def of_kind(self, kind: str) -> Mapping[str, str]:
        """Word -> meaning; nothing for a kind that each source maps by itself."""
        words: Mapping[str, str] = getattr(self, kind, {})
        return words
