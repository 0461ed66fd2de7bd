"""CDEvents: events of delivery pipelines, received as CloudEvents (binary or structured) or imported as files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mttr_pipeline.config.options import DeployOptions
from mttr_pipeline.landing.readers import Unreadable
from mttr_pipeline.sources.kit.body import members, raw
from mttr_pipeline.sources.kit.declare import Fields, Finding, Source, Webhook

NO_DEPLOYS = "cdevents_that_are_no_deploys"
_PREFIX = b'"dev.cdevents.'
#: The types that say that a version runs now; `sql/staging/cdevents` reads the same.
_DEPLOYS = re.compile(rb'"dev\.cdevents\.service\.(deployed|upgraded|rolledback)\.\d')


def recognises(fields: Fields) -> bool:
    """CDEvents: `context.type` begins with `dev.cdevents.` (CDEvents specification, Context). That is the body of a CloudEvent in
    binary mode, whose attributes are headers, too. In structured mode the event is its member `data`."""
    return _type(_event(fields)).startswith(_PREFIX)


def _event(fields: Fields) -> Fields:
    return members(fields.get("data")) if "specversion" in fields else fields


def _type(event: Fields) -> bytes:
    return raw(members(event.get("context")).get("type"))


def event(record: bytes, fields: Fields) -> Iterator[bytes | Unreadable]:
    """The CDEvent, without the CloudEvent around it: all that it says stands in the context too."""
    yield b',"body":' + (raw(fields["data"]) if "specversion" in fields else record)


def facts(fields: Fields) -> Mapping[str, int]:
    """Whether it is an event that brings no version to an environment."""
    return {} if _DEPLOYS.match(_type(_event(fields))) else {NO_DEPLOYS: 1}


SOURCE = Source(
    name="cdevents",
    title="CDEvents",
    role="deploys",
    yields=("deploys", "words"),
    options=DeployOptions,
    webhook=Webhook("CDEvent", recognises, parts=event, facts=facts),  # the specification signs nothing
    findings={
        NO_DEPLOYS: Finding(
            "info", "CDEvents of other types, such as builds, tests and published artifacts: they are no deploys"
        )
    },
)
