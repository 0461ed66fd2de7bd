"""Renders cases as the bodies that Alertmanager sends to a webhook receiver.

Shapes follow the Alertmanager documentation, Webhook receiver configuration (version 4), and Notification template reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import quote

from mttr_pipeline.demo import company
from mttr_pipeline.demo.facts import Case
from mttr_pipeline.demo.kit.wire import encode, iso_millis

WEB = "https://alertmanager.larkspur.example"
EXPRESSIONS = "https://prometheus.larkspur.example"
NEVER = "0001-01-01T00:00:00Z"  # the zero time of Go: no end is known
SEVERITY = {"SEV1": "critical", "SEV2": "error", "SEV3": "warning", "SEV4": "info"}

Json = dict[str, Any]


def group_key(page: Case) -> str:
    """The key of the group of alerts behind a pager's record: the route, and the labels that its alerts are grouped by."""
    name, cell = page.key.split("/")[-2:]
    return f'{{}}/{{team="{company.SERVICES_BY_NAME[page.service].team}"}}:{{alertname="{name}", cell="{cell}"}}'


def bodies(cases: Iterable[Case]) -> list[tuple[datetime, bytes]]:
    """A body whenever an alert of a group begins or ends, with all alerts of the group that fire then or have just ended."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.key, []).append(case)
    sent = []
    for key, members in groups.items():
        for at in sorted({fact.at for case in members for fact in case.facts}):
            shown = [case for case in members if case.created <= at and ((end := case.ends()) is None or end >= at)]
            sent.append((at, encode(_body(key, [_alert(case, at) for case in shown]))))
    return sorted(sent, key=lambda one: one[0])


def _body(key: str, alerts: list[Json]) -> Json:
    return {
        "version": "4",
        "groupKey": key,
        "truncatedAlerts": 0,
        "status": "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved",
        "receiver": "pager",
        "groupLabels": {name: alerts[0]["labels"][name] for name in ("alertname", "cell")},
        "commonLabels": dict(set.intersection(*({*alert["labels"].items()} for alert in alerts))),
        "commonAnnotations": dict(set.intersection(*({*alert["annotations"].items()} for alert in alerts))),
        "externalURL": WEB,
        "alerts": alerts,
    }


def _alert(case: Case, at: datetime) -> Json:
    end = case.ends()
    is_over = end is not None and end <= at
    fingerprint = case.id.partition("/")[0]
    name, cell = (part.split('"')[1] for part in case.key.partition(":")[2].split(", "))
    return {
        "status": "resolved" if is_over else "firing",
        "labels": {
            "alertname": name,
            "cell": cell,
            "instance": f"{company.SERVICES_BY_NAME[case.service].slug}-{fingerprint[:4]}",
            "service": case.service,
            "severity": SEVERITY[case.severity],
            "team": company.SERVICES_BY_NAME[case.service].team,
        },
        "annotations": {"summary": case.title},
        "startsAt": iso_millis(case.created),
        "endsAt": iso_millis(end) if is_over and end else NEVER,
        "generatorURL": f"{EXPRESSIONS}/graph?g0.expr={quote(name)}",
        "fingerprint": fingerprint,
    }
