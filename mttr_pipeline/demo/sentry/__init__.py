"""The simulated Sentry and GlitchTip: releases, deploys and commits of an organization."""

from __future__ import annotations

from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.vendor import Vendor
from mttr_pipeline.demo.sentry.simulator import SentrySimulator

__all__ = ["SIMULATORS", "SentrySimulator"]

SIMULATORS = (
    Vendor(
        name="sentry",
        source="sentry",
        order=80,
        documented=Limit(40, 1.0),
        demo=Limit(200, 1.0),
        deploys=("Sorting Line",),
        from_world=SentrySimulator.from_world,
    ),
)
