"""metrics.prom: the headline figures as OpenMetrics text, for a monitoring system that reads files.

Figures stand beside the counts they are made of, as in the tables; what has no value has no sample. The format:
https://prometheus.io/docs/specs/om/open_metrics_spec/ (1.0). Durations are in seconds and shares in ratios, as it asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

Sample = tuple[dict[str, str], float | int | None]


@dataclass(frozen=True)
class Family:
    """Samples of one name: what they mean, their type, and their unit, with which the name ends."""

    name: str
    help: str
    query: str
    labels: tuple[str, ...] = ()
    unit: str = ""


_SEVERITIES = "CASE scope WHEN 'all' THEN 'all' ELSE scope_value END"
_PERIOD = f"""SELECT {_SEVERITIES}, {{column}} FROM mart.mttr_stats
    WHERE calculation_type = 'basic' AND scope IN ('all', 'severity') AND window_end IS NOT NULL AND window_end = as_of ORDER BY 1"""
_LAST_30 = "epoch_us(window_start) = (SELECT epoch_us(window_start) FROM core.target_windows WHERE name = 'last30')"
_TARGETS = f"SELECT severity, {{column}} FROM mart.target_compliance WHERE service IS NULL AND {_LAST_30} ORDER BY 1"
_PULLS = """SELECT source, {column} FROM mart.source_runs WHERE source NOT IN ('custom', 'inbox')
    QUALIFY row_number() OVER (PARTITION BY source ORDER BY started_at DESC, run_id DESC) = 1 ORDER BY 1"""


_DELIVERY = f"SELECT {{column}} FROM mart.delivery WHERE scope = 'all' AND {_LAST_30}"


def _delivery(name: str, help_text: str, column: str, unit: str = "") -> Family:
    return Family(name, f"{help_text}, of the last 30 days", _DELIVERY.format(column=column), unit=unit)


_NEWEST = """SELECT service, {column} FROM mart.release_health
    QUALIFY row_number() OVER (PARTITION BY service ORDER BY released_at DESC NULLS LAST, version DESC) = 1 ORDER BY 1"""


def _learned(name: str, help_text: str, table: str, column: str, unit: str = "", where: str = "true") -> Family:
    query = f"SELECT {column} FROM mart.{table} WHERE scope = 'all' AND {_LAST_30} AND {where}"
    return Family(name, f"{help_text}, of the last 30 days", query, unit=unit)


def _whole(name: str, help_text: str, table: str, column: str, unit: str = "") -> Family:
    query = f"SELECT {column} FROM mart.{table} WHERE scope = 'all' AND window_start IS NULL"
    return Family(name, f"{help_text}, of the whole history", query, unit=unit)


def _period(name: str, help_text: str, column: str, unit: str = "") -> Family:
    return Family(name, f"{help_text}, of the last 30 days", _PERIOD.format(column=column), ("severity",), unit)


FAMILIES = (
    Family(
        "mttr_as_of_timestamp_seconds",
        "clock of the run",
        "SELECT epoch_us(as_of) / 1e6 FROM config.run",
        unit="seconds",
    ),
    _period("mttr_incidents_matched", "incidents that started", "incidents_matched"),
    _period(
        "mttr_typical_recovery_seconds", "Kaplan-Meier median from detected to resolved", "km_median * 60", "seconds"
    ),
    _period("mttr_bad_day_seconds", "Kaplan-Meier 90th percentile from detected to resolved", "km_p90 * 60", "seconds"),
    _period("mttr_incidents_recovered", "incidents behind typical recovery and bad day that recovered", "n_events"),
    _period("mttr_incidents_censored", "incidents behind them that are open, or were resolved by a timeout", "n_open"),
    _period(
        "mttr_resolve_mean_seconds",
        "mean from detected to resolved, but for open ones and outliers",
        "mean_minutes * 60",
        "seconds",
    ),
    _period("mttr_resolve_median_seconds", "median of the same incidents", "median_minutes * 60", "seconds"),
    _period("mttr_incidents_analyzed", "incidents behind mean and median", "incidents_analyzed"),
    _period("mttr_incidents_outlier", "incidents that the outlier rule leaves out of them", "excluded_outlier"),
    Family(
        "mttr_target_compliance_ratio",
        "share of the incidents of the last 30 days that were resolved within their target",
        _TARGETS.format(column="compliance_pct / 100"),
        ("severity",),
        "ratio",
    ),
    Family(
        "mttr_target_incidents", "incidents behind the share", _TARGETS.format(column="incidents_count"), ("severity",)
    ),
    Family(
        "mttr_target_missed",
        "1 if the target is missed more often than the goal allows, and chance is an unlikely cause",
        _TARGETS.format(column="is_missed::INTEGER"),
        ("severity",),
    ),
    Family(
        "mttr_availability_ratio",
        "1 less weighted downtime, all services together, last 30 days",
        f"SELECT availability_pct / 100 FROM mart.downtime WHERE scope = 'all' AND {_LAST_30}",
        unit="ratio",
    ),
    Family(
        "mttr_error_budget_used_ratio",
        "part of its error budget that a service used in the last 30 days",
        f"SELECT scope_value, error_budget_used_pct / 100 FROM mart.downtime WHERE scope = 'service' AND {_LAST_30} ORDER BY 1",
        ("service",),
        "ratio",
    ),
    _delivery("mttr_deploys", "deploys to production that ran", "deploys"),
    _delivery("mttr_deployment_frequency_per_day", "deployment frequency: deploys divided by days", "deploys_per_day"),
    _delivery(
        "mttr_change_lead_time_seconds",
        "change lead time: median from the earliest commit of a deploy to its finish",
        "lead_time_median_minutes * 60",
        "seconds",
    ),
    _delivery("mttr_deploys_with_lead_time", "deploys behind the change lead time", "n_lead_time"),
    _delivery(
        "mttr_change_fail_ratio",
        "change fail rate: share of deploys that introduced an incident or were rolled back",
        "change_failure_pct / 100",
        "ratio",
    ),
    _delivery("mttr_deploys_failed", "deploys that introduced an incident or were rolled back", "failed_deploys"),
    _delivery(
        "mttr_failed_deployment_recovery_seconds",
        "failed deployment recovery time: Kaplan-Meier median",
        "recovery_median_minutes * 60",
        "seconds",
    ),
    _delivery("mttr_deploys_recovered", "failed deploys that were recovered from", "n_recovered"),
    _delivery("mttr_deploys_recovery_open", "failed deploys with an open incident", "n_recovery_open"),
    _delivery(
        "mttr_deployment_rework_ratio",
        "deployment rework rate: share of deploys that repair",
        "rework_pct / 100",
        "ratio",
    ),
    _delivery("mttr_deploys_rework", "deploys that repair", "rework_deploys"),
    Family(
        "mttr_error_issues",
        "unresolved issues of error trackers",
        """SELECT "class", count(*) FROM mart.error_issues
        WHERE status = 'unresolved' AND "class" IS NOT NULL GROUP BY ALL ORDER BY 1""",
        ("class",),
    ),
    Family(
        "mttr_error_fixes",
        "issues by the state of their newest fix, of those whose fix was out in the last 90 days",
        """SELECT fix_state, count(*) FROM mart.error_issues CROSS JOIN config.run AS run
        WHERE fix_state IS NOT NULL AND epoch_us(fix_at) >= epoch_us(run.as_of) - 90 * 86400000000 GROUP BY ALL ORDER BY 1""",
        ("state",),
    ),
    Family(
        "mttr_release_crash_free_ratio",
        "share of sessions of the newest release of a service that did not crash",
        _NEWEST.format(column="crash_free_pct / 100"),
        ("service",),
        "ratio",
    ),
    Family("mttr_release_sessions", "sessions behind the share", _NEWEST.format(column="sessions"), ("service",)),
    _whole(
        "mttr_post_mortem_completion_ratio",
        "share of the incidents of SEV1 and SEV2 with a completed post-mortem, of those where it is due",
        "learning",
        "completion_pct / 100",
        "ratio",
    ),
    _whole(
        "mttr_post_mortems_due",
        "incidents behind the share",
        "learning",
        "CASE WHEN completed IS NOT NULL THEN n END",
    ),
    _whole(
        "mttr_recurrence_ratio",
        "share of incidents that came back within 30 days",
        "recurrence",
        "recurrence_pct / 100",
        "ratio",
    ),
    _whole("mttr_recurrence_incidents", "incidents behind the share", "recurrence", "CASE WHEN n > 0 THEN n END"),
    _learned(
        "mttr_noise_ratio",
        "share of incidents of alerts that resolved automatically and that nobody acknowledged",
        "noise",
        "noise_pct / 100",
        "ratio",
    ),
    _learned("mttr_noise_incidents", "incidents behind the share", "noise", "n"),
    _learned("mttr_noise_night_pages", "pages at night for noise", "noise", "noise_night_pages"),
    _learned(
        "mttr_detected_by_customers_ratio",
        "share of incidents that customers noticed first",
        "detection_sources",
        "coalesce(max(share_pct) FILTER (detected_by = 'customer'), 0) / 100",
        "ratio",
        "n_known > 0 HAVING count(*) > 0",
    ),
    _learned(
        "mttr_detection_known", "incidents behind the share", "detection_sources", "max(n_known)", "", "n_known > 0"
    ),
    Family(
        "mttr_pages",
        "pages of the last 30 days",
        f"SELECT scope_value, pages FROM mart.oncall_load WHERE scope = 'team' AND {_LAST_30} ORDER BY 1",
        ("team",),
    ),
    Family(
        "mttr_night_pages",
        "pages of the last 30 days from 22 to 8 h",
        f"SELECT scope_value, night_pages FROM mart.oncall_load WHERE scope = 'team' AND {_LAST_30} ORDER BY 1",
        ("team",),
    ),
    Family(
        "mttr_incidents_abandoned",
        "open incidents that are abandoned",
        "SELECT count(*) FROM mart.abandoned_incidents",
    ),
    Family(
        "mttr_source_records",
        "vendor records and their episodes",
        "SELECT source, records FROM mart.correlation WHERE scope = 'source' ORDER BY 1",
        ("source",),
    ),
    Family(
        "mttr_source_data_as_of_timestamp_seconds",
        "the data of the source is as of then",
        _PULLS.format(column="epoch_us(data_as_of) / 1e6"),
        ("source",),
        "seconds",
    ),
    Family(
        "mttr_source_last_pull_complete",
        "1 if the newest pull of the source went through",
        _PULLS.format(column="(status = 'complete')::INTEGER"),
        ("source",),
    ),
    Family(
        "mttr_source_pull_duration_seconds",
        "time that the newest pull took",
        _PULLS.format(column="(epoch_us(finished_at) - epoch_us(started_at)) / 1e6"),
        ("source",),
        "seconds",
    ),
    Family(
        "mttr_data_quality_warnings",
        "findings that warn",
        "SELECT source, warnings FROM mart.data_quality_status ORDER BY 1",
        ("source",),
    ),
    Family(
        "mttr_alert_in_force",
        "1 for every condition in force, see the table alerts",
        "SELECT condition, scope, 1 FROM mart.alerts WHERE ended_at IS NULL ORDER BY ALL",
        ("condition", "scope"),
    ),
)
_LIGHTS = ("green", "amber", "red", "no_data")


def metrics(con: duckdb.DuckDBPyConnection) -> str:
    """The text of metrics.prom, from the tables of the mart. The same tables give the same bytes."""
    return "".join((*_definition(con), *_families(con), *_light(con), "# EOF\n"))


def _families(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for family in FAMILIES:
        rows = con.execute(family.query).fetchall()
        samples = [(dict(zip(family.labels, row[:-1], strict=True)), row[-1]) for row in rows]
        yield from _written(family.name, "gauge", family.help, samples, family.unit)


def _definition(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    found = con.execute("SELECT definition_hash FROM config.run").fetchall()
    samples: list[Sample] = [({"definition_hash": str(text)}, 1) for (text,) in found]
    yield from _written(
        "mttr_definitions", "info", "figures of equal definitions are comparable", samples, suffix="_info"
    )


def _light(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """A state set: the light that is on is 1, the others are 0."""
    name = "mttr_data_quality_light"
    rows = con.execute("SELECT source, light FROM mart.data_quality_status ORDER BY source").fetchall()
    samples: list[Sample] = [
        ({"source": source, name: light}, int(light == found)) for source, found in rows for light in _LIGHTS
    ]
    yield from _written(name, "stateset", "whether the data of a source, or of all, bears figures", samples)


def _written(
    name: str, kind: str, help_text: str, samples: Iterable[Sample], unit: str = "", suffix: str = ""
) -> Iterator[str]:
    there = [(labels, value) for labels, value in samples if value is not None]
    if not there:
        return
    yield f"# TYPE {name} {kind}\n"
    if unit:
        yield f"# UNIT {name} {unit}\n"
    yield f"# HELP {name} {help_text}.\n"
    for labels, value in there:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{suffix}{f'{{{told}}}' if told else ''} {value!r}\n"


def _escaped(text: Any) -> str:
    return str(text).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
