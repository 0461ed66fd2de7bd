"""The simulated GitLab: projects with deployments and commits."""

from __future__ import annotations

from mttr_pipeline.demo.gitlab.simulator import GitLabSimulator
from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.vendor import Vendor

__all__ = ["SIMULATORS", "GitLabSimulator"]

SIMULATORS = (
    Vendor(
        name="gitlab",
        source="gitlab",
        order=60,
        documented=Limit(2000, 60.0),  # gitlab.com, authenticated requests
        demo=Limit(600, 3.0),
        deploys=("Route Planner", "Driver App", "Parcel Tracking"),
        from_world=GitLabSimulator.from_world,
    ),
)
