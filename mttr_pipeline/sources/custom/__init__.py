"""Custom records: this project's own format, for every system that has no source here. They are imported, never pulled."""

from __future__ import annotations

from mttr_pipeline.config.options import DeployOptions
from mttr_pipeline.sources.kit.declare import Source

SOURCE = Source(
    name="custom",
    title="Custom records",
    yields=("records", "events", "words", "links", "deploys"),
    options=DeployOptions,
)
