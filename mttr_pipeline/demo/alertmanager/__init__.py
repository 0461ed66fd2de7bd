"""The simulated Alertmanager: it cannot be asked, and sends the alerts of its groups to a webhook receiver."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from mttr_pipeline.demo.alertmanager.records import bodies, group_key
from mttr_pipeline.demo.kit.vendor import Sender, Tool

__all__ = ["SENDERS"]


def _record_id(identity: str, serial: int, created: datetime) -> str:
    """The fingerprint of the labels and the start, which together tell one firing."""
    return f"{identity[:16]}/{created.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _page_key(group: str) -> str:
    """What a pager is told instead of the group's key (prometheus/alertmanager, notify.Key.Hash)."""
    return sha256(group.encode()).hexdigest()


ALERTS = Tool(
    name="alertmanager",
    source="alertmanager",
    order=50,
    watches="",
    volume=0,  # it has no history of its own: its alerts are those behind records of pagers
    record_id=_record_id,
    tick=timedelta(seconds=1),
    stories={},
    stages=(),
    has_severity=True,
    group_key=group_key,
    page_key=_page_key,
)

SENDERS = (
    Sender(
        name="alertmanager", source="alertmanager", tools=(ALERTS,), bodies=lambda world: bodies(world.of(ALERTS.name))
    ),
)
