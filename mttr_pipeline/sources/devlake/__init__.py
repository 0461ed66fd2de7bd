"""Deployments in the shape of the webhook of Apache DevLake, which many CI templates send: received or imported as they are."""

from __future__ import annotations

from mttr_pipeline.config.options import DeployOptions
from mttr_pipeline.sources.kit.body import raw
from mttr_pipeline.sources.kit.declare import Fields, Source, Webhook


def recognises(fields: Fields) -> bool:
    """DevLake: `id` and the list `deploymentCommits` (Apache DevLake documentation, Incoming Webhook)."""
    return "id" in fields and raw(fields.get("deploymentCommits")).startswith(b"[")


SOURCE = Source(
    name="devlake",
    title="DevLake webhook",
    role="deploys",
    yields=("deploys", "words"),
    options=DeployOptions,
    webhook=Webhook("DevLake deployment", recognises),  # DevLake's receivers ask for a key, and bodies are not signed
)
