"""Alertmanager: alerts that are only received, as bodies of its webhook receiver (version 4) or of Grafana Alerting (version 1), or
as a list of its API v2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from mttr_pipeline.landing.readers import Unreadable, unreadable
from mttr_pipeline.sources.kit.body import members, raw
from mttr_pipeline.sources.kit.declare import Fields, Finding, Source, Webhook

LEFT_OUT = "alerts_left_out_by_alertmanager"


def recognises(fields: Fields) -> bool:
    """Alertmanager: `version` "4" and a list `alerts` (its template data structures). Grafana Alerting: the same with `version` "1"
    and an `orgId` (Grafana, webhook notifier). One alert of Alertmanager's API v2: `fingerprint`, `startsAt`, `labels` and the
    object `status`."""
    if raw(fields.get("alerts")).startswith(b"["):
        version = raw(fields.get("version"))
        return version == b'"4"' or (version == b'"1"' and "orgId" in fields)
    return _is_listed(fields)


def _is_listed(fields: Fields) -> bool:
    return {"fingerprint", "startsAt", "labels"} <= fields.keys() and "state" in members(fields.get("status"))


def alerts(record: bytes, fields: Fields) -> Iterator[bytes | Unreadable]:
    """A line for each alert of the body, with the address of the Alertmanager that sent it and the key of its group.

    An alert of a list is a body itself.
    """
    if _is_listed(fields):
        yield b',"body":' + record
        return
    found = msgspec.json.decode(fields["alerts"], type=list[msgspec.Raw])
    if not found:
        yield unreadable(record, "holds no alert")
    address = raw(fields.get("externalURL"))
    group = raw(fields.get("groupKey"))
    start = b',"address":' + address if address.startswith(b'"') else b""
    start += b',"group":' + group + b',"body":' if group.startswith(b'"') else b',"body":'
    for place, alert in enumerate(found, 1):
        content = bytes(alert).strip()
        yield start + content if content.startswith(b"{") else unreadable(content, f"alert {place} is no JSON object")


def facts(fields: Fields) -> Mapping[str, int]:
    """How many alerts Alertmanager says it cut from a body (`max_alerts` of the receiver)."""
    text = raw(fields.get("truncatedAlerts"))
    return {LEFT_OUT: int(text)} if text.isdigit() and len(text) < 10 and int(text) else {}


SOURCE = Source(
    name="alertmanager",
    title="Alertmanager",
    role="machine alert",
    yields=("records", "events", "words", "links"),
    words={
        "severity": {  # the label severity
            "critical": "SEV1",
            "page": "SEV1",
            "error": "SEV2",
            "major": "SEV2",
            "warning": "SEV3",
            "info": "SEV4",
            "none": "SEV4",
        }
    },
    webhook=Webhook("Alertmanager alert", recognises, parts=alerts, facts=facts),  # it signs nothing
    findings={
        LEFT_OUT: Finding("warn", "alerts that Alertmanager cut from its bodies (max_alerts): they are in no figure")
    },
)
