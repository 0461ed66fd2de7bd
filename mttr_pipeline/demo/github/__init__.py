"""GitHub: repositories with deployments, statuses, commits and releases."""

from __future__ import annotations

from mttr_pipeline.demo.github.records import Book, Repository, deployments
from mttr_pipeline.demo.github.simulator import GitHubSimulator
from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.vendor import Vendor

__all__ = ["SIMULATORS", "Book", "GitHubSimulator", "Repository", "deployments"]

SIMULATORS = (
    Vendor(
        name="github",
        source="github",
        order=60,
        # Rate limits for the REST API: 5,000 an hour for the token of a user.
        documented=Limit(5_000, 3_600.0),
        demo=Limit(5_000, 5.0),
        deploys=("Checkout", "Search", "Catalogue", "Payments"),
        from_world=GitHubSimulator.from_world,
    ),
)
