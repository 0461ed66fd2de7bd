"""What Dagster loads: `dagster dev`, `dagster job execute -m mttr_pipeline.definitions -j nightly`. Needs no credential."""

from mttr_pipeline.defs import build_defs

defs = build_defs(for_people=True)
