"""The simulated delivery pipeline that cannot be asked: it sends CDEvents about what it has brought out."""

from __future__ import annotations

from mttr_pipeline.demo.cdevents.records import bodies
from mttr_pipeline.demo.kit.vendor import Sender

__all__ = ["SENDERS"]

SENDERS = (
    Sender(
        name="cdevents",
        source="cdevents",
        tools=(),
        deploys=("Accounts", "Notifications"),
        bodies=lambda world: bodies([deploy for deploy in world.deploys if deploy.tool == "cdevents"]),
    ),
)
