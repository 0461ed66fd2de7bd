"""Vocabulary: how vendors' names for severities, statuses and fields become ours, as rows of `config.*` tables.

The defaults are METRICS definitions in the form of data; `mttr.toml` adds to them or overrides them. The SQL files join
against these tables and know no name themselves.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from mttr_pipeline.config.names import folded
from mttr_pipeline.config.settings import FIXED_VARIANTS, STAMPS, LinkedOptions, Settings, SourceOptions, Stamp

PRIORITIES = {"p1": "SEV1", "p2": "SEV2", "p3": "SEV3", "p4": "SEV4", "p5": "SEV4"}
SEVERITIES = {
    "pagerduty": PRIORITIES | {"sev1": "SEV1", "sev2": "SEV2", "sev3": "SEV3", "sev4": "SEV4"},
    "opsgenie": PRIORITIES,
    "jsm": PRIORITIES,
    "jira": {
        "highest": "SEV1",
        "high": "SEV2",
        "medium": "SEV3",
        "low": "SEV4",
        "lowest": "SEV4",
        "sev1": "SEV1",
        "sev2": "SEV2",
        "sev3": "SEV3",
        "sev4": "SEV4",
        "sev-1": "SEV1",
        "sev-2": "SEV2",
        "sev-3": "SEV3",
        "sev-4": "SEV4",
        # Jira's priority scheme from before 2017, still the default of many Data Center sites
        "blocker": "SEV1",
        "critical": "SEV2",
        "major": "SEV3",
        "minor": "SEV4",
        "trivial": "SEV4",
    },
    "alertmanager": {  # the label severity
        "critical": "SEV1",
        "page": "SEV1",
        "error": "SEV2",
        "major": "SEV2",
        "warning": "SEV3",
        "info": "SEV4",
        "none": "SEV4",
    },
    "custom": {"sev1": "SEV1", "sev2": "SEV2", "sev3": "SEV3", "sev4": "SEV4"},
}

JIRA_STATUSES = {
    "detected": ("Open", "New", "To Do", "Reported"),
    "acknowledged": ("Acknowledged", "Assigned", "Triaged"),
    "investigating": ("In Progress", "Work in progress", "Investigating"),
    "root_cause_found": ("Identified", "Root cause found"),
    "mitigated": ("Mitigated", "Monitoring", "Workaround", "Fix deployed"),
    "resolved": ("Resolved", "Done", "Completed", "Fixed"),
    "closed": ("Closed",),
    "reopened": ("Reopened",),
    "paused": ("Pending", "On hold"),
}

JIRA_FIELDS = {
    "severity": "severity",
    "affected services": "service",
    "major incident": "major_incident",
    "responders": "responders",
    "incident start": "occurred_at",
    "impact start": "occurred_at",
    "detected at": "detected_at",
    "mitigated at": "mitigated_at",
}

Rows = list[list[Any]]

#: Model, order, phase, and the places of its two stamps among the eight.
PHASES: Rows = [
    ["lifecycle", 1, "detection", 1, 2],
    ["lifecycle", 2, "acknowledgment", 2, 3],
    ["lifecycle", 3, "investigation", 3, 5],
    ["lifecycle", 4, "mitigation", 5, 6],
    ["lifecycle", 5, "resolution", 6, 7],
    ["lifecycle", 6, "closure", 7, 8],
    ["coarse", 1, "detection", 1, 2],
    ["coarse", 2, "acknowledgment", 2, 3],
    ["coarse", 3, "investigation", 3, 6],
    ["coarse", 4, "mitigation", 6, 7],
    ["coarse", 6, "closure", 7, 8],
]


def config_tables(settings: Settings, as_of: datetime) -> dict[str, tuple[str, Rows]]:
    """Name -> (columns, rows) of every `config` table. Map keys are in lower case; durations are microseconds."""
    file = settings.file
    options: dict[str, SourceOptions] = dict(file.sources)
    jira = file.sources.jira
    statuses = {name.lower(): event for event, names in JIRA_STATUSES.items() for name in names}
    statuses |= {folded(name): event for name, event in jira.status.items()}
    fields = {("jira", name): target for name, target in JIRA_FIELDS.items()}
    fields |= {("jira", name.lower()): target for name, target in jira.fields.items()}
    fields |= {("pagerduty", name.lower()): target for name, target in file.sources.pagerduty.fields.items()}
    return {
        "run": (
            "as_of TIMESTAMP, reopen_us BIGINT, flap_us BIGINT, outliers_excluded BOOLEAN, outlier_hours DOUBLE, "
            "at_risk_pct DOUBLE, availability_target_pct DOUBLE, phase_model VARCHAR, reporting_time_zone VARCHAR, "
            "definition_hash VARCHAR",
            [
                [
                    as_of.replace(tzinfo=None),
                    round(file.lifecycle.reopen_hours * 3_600_000_000),
                    round(file.lifecycle.flap_minutes * 60_000_000),
                    file.outliers.enabled,
                    file.outliers.hours,
                    file.targets.at_risk_pct,
                    file.targets.availability_pct,
                    file.phase_model,
                    file.reporting_time_zone,
                    definition_hash(settings),
                ]
            ],
        ),
        "sources": (
            "source VARCHAR, time_zone VARCHAR, root_cause_marks VARCHAR[], mitigated_marks VARCHAR[]",
            [[n, o.time_zone, list(o.root_cause_patterns), list(o.mitigated_patterns)] for n, o in options.items()],
        ),
        "pages": (
            "source VARCHAR, web_url VARCHAR",
            [[name, option.web_url] for name, option in options.items() if isinstance(option, LinkedOptions)],
        ),
        "severities": (
            "source VARCHAR, value VARCHAR, severity VARCHAR",
            [
                [name, value, severity]
                for name, option in options.items()
                for value, severity in (
                    SEVERITIES[name] | {key.lower(): severity for key, severity in option.severity.items()}
                ).items()
            ],
        ),
        "statuses": (
            "project VARCHAR, status VARCHAR, event_type VARCHAR",
            [["", status, event] for status, event in statuses.items()]
            + [
                [project.strip(), folded(status), event]
                for project, mapping in jira.projects.items()
                for status, event in mapping.status.items()
            ],
        ),
        "fields": (
            "source VARCHAR, field VARCHAR, target VARCHAR",
            [[source, field, target] for (source, field), target in fields.items()],
        ),
        "variants": (
            "calculation_type VARCHAR, start_place INTEGER, end_place INTEGER, start_stamp VARCHAR, end_stamp VARCHAR",
            [
                [name, STAMPS.index(start) + 1, STAMPS.index(end) + 1, start, end]
                for name, (start, end) in variants_in_force(settings).items()
            ],
        ),
        "targets": (
            "severity VARCHAR, service VARCHAR, minutes DOUBLE",
            [[severity, None, minutes] for severity, minutes in file.targets.severities.items()]
            + [
                [severity, service, minutes]
                for service, targets in file.targets.services.items()
                for severity, minutes in targets.items()
            ],
        ),
        "phases": ("phase_model VARCHAR, place INTEGER, phase VARCHAR, start_place INTEGER, end_place INTEGER", PHASES),
        "phase_targets": ("phase VARCHAR, minutes DOUBLE", [[phase, m] for phase, m in file.targets.phases.items()]),
        "thresholds": (
            "scope VARCHAR, scope_value VARCHAR, phase VARCHAR, warning DOUBLE, critical DOUBLE",
            [
                [scope, value, phase, threshold.warning, threshold.critical]
                for scope, value, phases in [
                    ("all", "all", file.thresholds.phases),
                    *(("severity", name, phases) for name, phases in file.thresholds.severities.items()),
                    *(("service", name, phases) for name, phases in file.thresholds.services.items()),
                ]
                for phase, threshold in phases.items()
            ],
        ),
        "definitions": ("name VARCHAR, value VARCHAR", _definition_rows(settings)),
        "services": (
            "name VARCHAR, service VARCHAR, team VARCHAR",
            [[name, service, file.services[service].team] for name, service in file.service_names.items()],
        ),
    }


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
    "censored; log-rank p, Benjamini-Hochberg q over the members of a scope; told from 6 incidents a side and q < 0.05",
    "direction": "Theil-Sen slope of ln(weekly Kaplan-Meier median), Mann-Kendall p, from 8 full weeks with 6 incidents",
    "shift": "Pettitt test on the durations of recovered incidents in order of detection, from 20",
    "frequency": "incidents started per window; exact binomial comparison, Garwood limits",
    "downtime": "union of [occurred, else started_at; mitigated, else resolved, else closed, else as_of)",
    "no_data": "NULL, never 0 and never 100 percent",
}


def _definition_rows(settings: Settings) -> Rows:
    """The words above and every setting in force under its dotted key, for `metric_definitions`."""
    rows: Rows = [[f"definition.{name}", text] for name, text in DEFINITIONS.items()]

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(f"{prefix}.{key}", inner)
        else:
            rows.append([prefix, json.dumps(value, sort_keys=True, ensure_ascii=False)])

    walk("setting", definitions_in_force(settings))
    return rows


def variants_in_force(settings: Settings) -> dict[str, tuple[Stamp, Stamp]]:
    """Name -> (start stamp, end stamp): the three fixed variants and those of `[variants]`."""
    return FIXED_VARIANTS | {name: (variant.start, variant.end) for name, variant in settings.file.variants.items()}


def definitions_in_force(settings: Settings) -> dict[str, Any]:
    """Every setting that can change a number, as plain JSON; credentials and addresses are no part of it."""
    technical = {"requests_per_minute", "connections", "timeout_seconds", "max_wait_minutes", "web_url"}
    content = settings.file.model_dump(mode="json", exclude={"publish"})
    for source in content["sources"].values():
        for key in technical & set(source):
            del source[key]
    return content


def definition_hash(settings: Settings) -> str:
    """A short hash of the SQL, the statistics in Python and the settings in force: equal hashes mean comparable numbers."""
    from mttr_pipeline.warehouse.models import load_macros, load_models

    parts = [model.sql for model in load_models()] + [load_macros("internal"), load_macros("analyst")]
    parts += [path.read_text(encoding="utf-8") for path in sorted((Path(__file__).parents[1] / "metrics").glob("*.py"))]
    text = json.dumps([parts, definitions_in_force(settings)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
