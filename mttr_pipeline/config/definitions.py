"""The definitions and settings in force: what `metric_definitions` publishes and what makes two runs comparable."""

from __future__ import annotations

import json
from typing import Any

from mttr_pipeline.config.sections import FileSettings
from mttr_pipeline.config.terms import FIXED_VARIANTS, Stamp

DEFINITIONS = {
    "basic": "detected_at to resolved_at",
    "service_restore": "detected_at to mitigated_at",
    "full_recovery": "detected_at to closed_at",
    "population": "every incident is the first of these that applies: missing_start, open (no stamp at or after the end), "
    "missing_end, invalid (end before start), outlier, analysed; duplicates and non-incidents are dropped first",
    "mean": "exact sum of integer microseconds divided by n",
    "percentile": "linear interpolation at (n - 1) p",
    "window": "half-open on detected_at, else the first stamp",
    "phases.lifecycle": "detection occurred to detected, acknowledgment to acknowledged, investigation to root_cause_found, "
    "mitigation to mitigated, resolution to resolved, closure to closed",
    "phases.coarse": "detection occurred to detected, acknowledgment to acknowledged, investigation to mitigated, "
    "mitigation mitigated to resolved, closure to closed",
    "survival": "Kaplan-Meier from the variant's start; open incidents are censored at as_of, resolves by a timeout at the timeout; "
    "outliers stay in; limits are log-log, 95 percent",
    "rmst": "area under the Kaplan-Meier curve to 168 hours",
    "change": "last 30 days against the 30 before: Hodges-Lehmann ratio of durations, ratio of restricted means where any is "
    "censored; log-rank p, Benjamini-Hochberg q over the members of a scope; a verdict needs 6 incidents a side and q < 0.05",
    "direction": "Theil-Sen slope of ln(weekly Kaplan-Meier median), Mann-Kendall p, from 8 full weeks with 6 incidents",
    "shift": "Pettitt test on the durations of recovered incidents in order of detection, from 20",
    "frequency": "incidents started per window; exact binomial comparison, Garwood limits",
    "downtime": "union of [occurred, else started_at; mitigated, else resolved, else closed, else as_of)",
    "no_data": "NULL, never 0 and never 100 percent",
}
#: Settings of a source that cannot change a number.
_TECHNICAL = ("kind", "requests_per_minute", "connections", "timeout_seconds", "max_wait_minutes", "web_url")


def variants_in_force(file: FileSettings) -> dict[str, tuple[Stamp, Stamp]]:
    """Name -> (start stamp, end stamp): the three fixed variants and those of `[variants]`."""
    return FIXED_VARIANTS | {name: (variant.start, variant.end) for name, variant in file.variants.items()}


def definitions_in_force(file: FileSettings) -> dict[str, Any]:
    """Every setting that can change a number, as plain JSON; credentials and addresses are no part of it."""
    content = file.model_dump(mode="json", exclude={"publish"})
    for source in content["sources"].values():
        for key in _TECHNICAL:
            source.pop(key, None)
    return content


def definition_rows(file: FileSettings) -> list[list[Any]]:
    """The definitions above and every setting in force under its dotted key."""
    rows: list[list[Any]] = [[f"definition.{name}", text] for name, text in DEFINITIONS.items()]

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(f"{prefix}.{key}", inner)
        else:
            rows.append([prefix, json.dumps(value, sort_keys=True, ensure_ascii=False)])

    walk("setting", definitions_in_force(file))
    return rows
