"""What Dagster itself shows of the results: the verdict and its figures over time, and what deserves a warning.

The summary is of what was published, and made after that: it claims nothing that readers cannot open. The checks here warn and
never stop anything: a missed target is no fault of the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from mttr_pipeline import reports
from mttr_pipeline.config.terms import SEVERITIES
from mttr_pipeline.defs.extract import OWNERS
from mttr_pipeline.defs.guarded import guarded
from mttr_pipeline.defs.publish import PUBLISHED
from mttr_pipeline.defs.resources import RunResource, explained
from mttr_pipeline.defs.tables import asset_key
from mttr_pipeline.errors import ContractError
from mttr_pipeline.publish import latest
from mttr_pipeline.reports import compliance, data_quality, delivery, downtime, errors, learning

REPORT = dg.AssetKey(["report", "summary"])
_TARGETS, _FINDINGS = asset_key("mart.target_compliance"), asset_key("mart.data_quality_status")


@dg.asset(
    key=REPORT,
    deps=[PUBLISHED],
    group_name="published",
    kinds={"json"},
    owners=OWNERS,
    description="The verdict in words with the trend, and the figures that are worth following from night to night.",
)
@guarded
def report(run: RunResource) -> dg.MaterializeResult:
    """Says what report.html of the newest generation says."""
    generation = latest(run.published_root)
    if generation is None:
        raise explained(
            ContractError(
                f"Nothing is published in {run.published_root} yet; run the whole job `nightly` or `rebuild`."
            )
        )
    try:
        documents = reports.read(generation)
        metadata = {"verdict": dg.MetadataValue.md(reports.markdown(documents)), **_figures(documents)}
    except (KeyError, FileNotFoundError) as error:  # executed alone, after an update
        raise explained(
            ContractError(
                f"{generation} was published by another release, without what this summary says ({error}); run the whole job "
                "`nightly` or `rebuild`."
            )
        ) from error
    return dg.MaterializeResult(metadata=metadata)


def _figures(documents: dict[str, reports.Document]) -> dict[str, Any]:
    """Numbers that Dagster plots over time. What has no value is left out: a 0 would be a lie in the plot."""
    summary, now = documents["summary"], documents["summary"]["recovery"]["current"]
    found = {
        "km_median_minutes": now["km_median"],
        "km_p90_minutes": now["km_p90"],
        "mean_minutes": summary["current_mttr"]["mean_minutes"],
        "outliers_left_out": summary["incidents"]["outliers"],
        "outlier_minutes_share": summary["incidents"]["outlier_minutes_share"],
        "n_events": now["n_events"],
        "n_open": now["n_open"],
        "incidents": summary["incidents"]["current_count"],
        "analysed": summary["incidents"]["analysed"],
        "open_now": summary["incidents"]["open_now"],
        "data_quality_warnings": summary["traffic_light"]["warnings"],
        "breaches_90_days": documents["compliance"]["breach_count"],
        "abandoned_incidents": documents["comparisons"]["abandoned_count"],
    }
    for row in documents["data_quality"]["correlation"]:
        if row["scope"] == "all":
            found["all_records"], found["all_incidents"] = row["records"], row["incidents"]
    for row in downtime.recent(documents["comparisons"]["downtime"]):
        if row["scope"] == "all":
            found["availability_pct_30_days"] = row["availability_pct"]
            found["availability_with_abandoned_pct_30_days"] = row["availability_with_abandoned_pct"]
    for row in delivery.recent(documents["delivery"]["figures"]):
        if row["scope"] == "all":
            found |= delivery.numbers(row)
    found |= errors.numbers(documents["errors"])
    found |= learning.numbers(documents["learning"], summary["period"]["start"])
    for row in compliance.recent(documents["compliance"]["targets"]):
        found[f"compliance_pct_{row['severity']}"] = row["compliance_pct"]
        found[f"compliance_n_{row['severity']}"] = row["incidents_count"]
    return {name: value for name, value in found.items() if value is not None}


@dg.multi_asset_check(
    name="targets",
    specs=[
        dg.AssetCheckSpec(
            f"target_{severity}",
            asset=_TARGETS,
            description=f"{severity} incidents of the last 90 days meet their target.",
        )
        for severity in SEVERITIES
    ],
)
@guarded
def targets(run: RunResource) -> Iterator[dg.AssetCheckResult]:
    """Warn for every severity that misses its target more often than the goal allows, so that an alert can be routed by it."""
    found = compliance.targets(run.warehouse.con)
    rows = {row["severity"]: row for row in compliance.recent(found)}
    for severity in SEVERITIES:
        row = rows.get(severity)
        figures: dict[str, Any] = {name: value for name, value in (row or {}).items() if isinstance(value, int | float)}
        services = "\n".join(f"- {text}" for text in compliance.failing(found, severity))
        yield dg.AssetCheckResult(
            asset_key=_TARGETS,
            check_name=f"target_{severity}",
            passed=row is None or not row["is_missed"],
            severity=dg.AssetCheckSeverity.WARN,
            description=_target_text(row) if row else "no data",
            metadata={**figures, "services_below_the_goal": dg.MetadataValue.md(services or "none")},
        )


@dg.asset_check(
    asset=asset_key("mart.phase_compliance"),
    name="phase_targets",
    description="Phases with a target meet it in the last 90 days.",
)
@guarded
def phase_targets(run: RunResource) -> dg.AssetCheckResult:
    """Warn when a phase misses its own target more often than the goal allows."""
    rows = compliance.recent(compliance.phases(run.warehouse.con), "severity")
    late = [row for row in rows if row["is_missed"]]
    return dg.AssetCheckResult(
        passed=not late,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{row['phase']} {_target_text(row)}" for row in late or rows) or "no phase has a target",
        metadata={f"compliance_pct_{row['phase']}": row["compliance_pct"] for row in rows if row["incidents_count"]},
    )


def _target_text(row: reports.Document) -> str:
    if row["compliance_pct"] is None:
        return row["status"].replace("_", " ")
    return (
        f"{row['status']}: {row['within_target']} of {row['incidents_count']} within target ({row['compliance_pct']:.1f} %, "
        f"95 % limits {row['compliance_low_pct']:.1f} to {row['compliance_high_pct']:.1f} %), "
        f"{row['open_breached']} open and past target, {row['pending']} open within target"
    )


@dg.asset_check(
    asset=asset_key("mart.delivery"),
    name="deploys_known",
    description="Deploys are known well enough for the delivery figures of the last 30 days.",
)
@guarded
def deploys_known(run: RunResource) -> dg.AssetCheckResult:
    """Warn when deploys are known but none ran in production, or when some are left out. The figures themselves are not judged,
    because no test compares them."""
    row, left_out = delivery.of_all(run.warehouse.con), delivery.warnings(run.warehouse.con)
    if row is None:
        return dg.AssetCheckResult(passed=True, severity=dg.AssetCheckSeverity.WARN, description="no deploy is known")
    figures = {name: value for name, value in delivery.numbers(row).items() if value is not None}
    n = row["deployment_frequency"]["n"]
    return dg.AssetCheckResult(
        passed=n > 0 and not left_out,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{n:,} {'deploy' if n == 1 else 'deploys'} to production in the last 30 days"
        + (f"; findings about deploys: {len(left_out)}" if left_out else ""),
        metadata={**figures, "findings": dg.MetadataValue.md("\n".join(f"- {text}" for text in left_out) or "none")},
    )


@dg.asset_check(asset=_FINDINGS, name="traffic_light", description="No finding that could make a figure wrong.")
@guarded
def traffic_light(run: RunResource) -> dg.AssetCheckResult:
    """Warn with the findings when the light is not green."""
    light = next(row for row in data_quality.lights(run.warehouse.con) if row["source"] == "all")
    return dg.AssetCheckResult(
        passed=light["light"] in ("green", "no_data"),
        severity=dg.AssetCheckSeverity.WARN,
        description=light["headline"],
        metadata={
            "light": light["light"],
            "warnings": light["warnings"],
            "findings": dg.MetadataValue.md("\n".join(f"- {text}" for text in light["findings"]) or "none"),
        },
    )
