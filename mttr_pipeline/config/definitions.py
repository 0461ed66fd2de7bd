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
    "population": "the first of these that applies to an incident: missing_start, open (no stamp at or after the end of the "
    "variant), missing_end, invalid (end before start, or an acknowledgement after the resolve), outlier, analysed; duplicates "
    "and non-incidents are left out before",
    "mean": "exact sum of integer microseconds divided by n",
    "percentile": "linear interpolation at (n - 1) p",
    "window": "half-open on detected_at, else on the first stamp: the start belongs to the window, the end does not",
    "phases.lifecycle": "each phase starts where the one before ends: detection from occurred to detected, acknowledgment to "
    "acknowledged, investigation to root_cause_found, mitigation to mitigated, resolution to resolved, closure to closed",
    "phases.coarse": "each phase starts where the one before ends: detection from occurred to detected, acknowledgment to "
    "acknowledged, investigation to mitigated, mitigation to resolved, closure to closed",
    "survival": "Kaplan-Meier from the start of the variant; open incidents are censored at as_of, resolves by a timeout at the "
    "timeout; outliers are included; limits are log-log, 95 percent",
    "rmst": "area under the Kaplan-Meier curve to 168 hours",
    "change": "last 30 days against the 30 days before: Hodges-Lehmann ratio of durations, or ratio of restricted means where an "
    "incident is censored; log-rank p, Benjamini-Hochberg q over the members of a scope; a verdict needs 6 incidents in each "
    "period and q < 0.05",
    "direction": "Theil-Sen slope of ln(weekly Kaplan-Meier median), Mann-Kendall p; needs 8 full weeks with 6 incidents each",
    "shift": "change point of the martingale residuals (event less Nelson-Aalen hazard) of all incidents in the order in which "
    "they started, open ones censored; Kolmogorov p, q over the members of a scope, and a log-rank test of both sides in the same "
    "direction; needs 20 incidents and 10 recoveries",
    "complete_history": "incidents that began before the complete history of their source are left out of survival, change, "
    "direction, shift, frequency and trend",
    "frequency": "incidents that started in a window; exact binomial comparison, Garwood limits",
    "downtime": "outages from occurred, else started_at, to mitigated, else resolved, else closed, else as_of; each minute times "
    "the largest weight of its outages; noise weighs 0 unless count_noise is set; maintenance is no outage",
    "abandoned": "open, and neither an event nor an update at the vendor for lifecycle.abandoned_days before as_of; its downtime "
    "ends at its last event and is in availability_with_abandoned_pct only, unless a mitigation ended it",
    "delivery": "production deploys that ran, at their finish; names and meanings after DORA: deployment frequency = deploys / "
    "days; change lead time = median from the author date of the earliest commit to the finish; change fail rate = deploys that "
    "introduced an incident or were rolled back / deploys (Wilson); failed deployment recovery time = Kaplan-Meier median from the "
    "finish to mitigated, else resolved, open ones censored; deployment rework rate = rollbacks, and deploys that name an incident "
    "of their service within 7 days / deploys (Wilson)",
    "introduced_by": "an explicit link, else the latest successful production deploy of the service, no rollback, with an exact "
    "finish, that finished at most deploys.window_minutes before the impact began",
    "learning": "a post-mortem is due for a resolved SEV1 or SEV2 at the resolve + 5 weekdays, at the same time of day in the "
    "reporting time zone; completion and on-time share of those that are due (Wilson), not yet due is left out; median days of "
    "completed ones",
    "recurrence": "another incident with the same deduplication key and service, root cause and service, or record within 30 days / "
    "incidents that began at least 30 days before as_of and have a key or a root cause (Wilson)",
    "noise": "resolved automatically and never acknowledged / incidents that a pager or machine alert tells of (Wilson)",
    "oncall_load": "a page is the first notification of a pager's record, or the record where its source tells of none; night is 22 "
    "to 8 h in the zone of the team, else the reporting time zone",
    "no_data": "NULL, never 0 and never 100 percent",
}
#: Settings of a source that cannot change a figure.
_TECHNICAL = (
    "kind",
    "requests_per_minute",
    "connections",
    "timeout_seconds",
    "max_wait_minutes",
    "max_hours",
    "web_url",
)


def variants_in_force(file: FileSettings) -> dict[str, tuple[Stamp, Stamp]]:
    """Name -> (start stamp, end stamp): the three fixed variants and those of `[variants]`."""
    return FIXED_VARIANTS | {name: (variant.start, variant.end) for name, variant in file.variants.items()}


def definitions_in_force(file: FileSettings) -> dict[str, Any]:
    """Every setting that can change a figure, as plain JSON, without credentials and addresses."""
    content = file.model_dump(mode="json", exclude={"publish", "imports", "people", "alerts", "run"})
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
