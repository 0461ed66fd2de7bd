"""Received webhook bodies: whose they are, and the lines they become in the landing zone, source `inbox`.

    {"file": <name>, "line": <1-based>, "delivery": <the sender's id of the delivery>, "body": {...}}
    {"file": <name>, "line": <1-based>, "address": <externalURL>, "body": {<one alert>}}       stream alertmanager
    {"file": <name>, "line": <1-based>, "unreadable": <text>, "reason": <why>}

A body stands there as it came; one of Alertmanager becomes a line for each of its alerts.

What belongs here: telling vendors apart by the shape of a body. What does not: any judgement of a value, which is the
matter of SQL, and reading files (`readers`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mttr_pipeline.landing.readers import Unreadable, unreadable

SOURCE = "inbox"

#: Stream of each sender -> what one of its lines is called.
SENDERS = {
    "pagerduty": "PagerDuty event",
    "opsgenie": "Opsgenie event",
    "alertmanager": "Alertmanager alert",
    "jira": "Jira event",
}

_DELIVERY = "x-atlassian-webhook-identifier"  # the same in every retry (Jira Cloud platform, Webhooks)
_MAX_DELIVERY = 200
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.encode

Fields = Mapping[str, msgspec.Raw]


def sender_of(fields: Fields) -> str | None:
    """The stream that a body belongs to; None for what is no webhook body, such as a custom record.

    PagerDuty v3 has `event.event_type` and `event.data` (PagerDuty developer documentation, Webhook payload), Opsgenie
    `action` and `alert.alertId` (Opsgenie documentation, Alert action data), Alertmanager `version` "4" and `alerts`
    (its template data structures), Jira `webhookEvent`.
    """
    if "external_id" in fields:
        return None
    if "webhookEvent" in fields:
        return "jira"
    if _members(fields.get("event")).keys() >= {"event_type", "data"}:
        return "pagerduty"
    if "action" in fields and "alertId" in _members(fields.get("alert")):
        return "opsgenie"
    if _raw(fields.get("version")) == b'"4"' and _raw(fields.get("alerts")).startswith(b"["):
        return "alertmanager"
    return None


def landed_parts(
    sender: str, record: bytes, fields: Fields, headers: Mapping[str, str]
) -> Iterator[bytes | Unreadable]:
    """What is landed of one body: the rest of each line after its file and number, or why there is none."""
    if problem := name_twice(record):
        yield unreadable(record, problem)
    elif sender == "alertmanager":
        yield from _alerts(record, fields)
    else:
        delivery = headers.get(_DELIVERY)
        named = b',"delivery":' + _encode(delivery[:_MAX_DELIVERY]) if delivery else b""
        yield named + b',"body":' + record


def alerts_left_out(fields: Fields) -> int:
    """How many alerts Alertmanager says it cut from a body (`max_alerts` of the receiver)."""
    text = _raw(fields.get("truncatedAlerts"))
    return int(text) if text.isdigit() and len(text) < 10 else 0


def name_twice(record: bytes) -> str | None:
    """Which name stands twice in one object, anywhere inside: readers would disagree on its value."""
    doubled: list[str] = []

    def seen(pairs: list[tuple[str, Any]]) -> None:
        doubled.extend(
            f"{name[:40]} stands there {n} times" for name, n in Counter(k for k, _ in pairs).items() if n > 1
        )

    try:
        json.loads(record, object_pairs_hook=seen, parse_int=str)  # as text: Python refuses numbers of 4,300 digits
    except RecursionError:
        return "nested too deeply"
    return f"the name {doubled[0]}" if doubled else None


def _alerts(record: bytes, fields: Fields) -> Iterator[bytes | Unreadable]:
    alerts = msgspec.json.decode(fields["alerts"], type=list[msgspec.Raw])
    if not alerts:
        yield unreadable(record, "holds no alert")
    address = _raw(fields.get("externalURL"))
    start = b',"address":' + address + b',"body":' if address.startswith(b'"') else b',"body":'
    for place, alert in enumerate(alerts, 1):
        content = bytes(alert).strip()
        yield start + content if content.startswith(b"{") else unreadable(content, f"alert {place} is no JSON object")


def _members(value: msgspec.Raw | None) -> Fields:
    content = _raw(value)
    return _decode_object(content) if content.startswith(b"{") else {}


def _raw(value: msgspec.Raw | None) -> bytes:
    return b"" if value is None else bytes(value).strip()
