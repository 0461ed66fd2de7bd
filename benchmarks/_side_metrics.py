"""The sides of the metrics benchmark, each a process of its own on one working database:

generate  a warehouse whose mart.incidents are synthetic and whose vendor tables are empty
night     all that a night makes of them: every table downstream of mart.incidents and its checks, timed one by one; the generation
          of files: JSON, page, and every table as DuckDB and as Parquet, the incidents themselves among them; and the summary
          with its chart that Dagster shows
reports   the JSON documents and the page, with the start of what draws its charts
python    the plain statistics of nine groupings once more, with Python's own lists and its statistics module; the figures must be
          those of mart.mttr_stats
reference the calculation and the phases of every member by the plain-Python reference that the tests hold the SQL against; the
          figures must be those of mart.mttr_stats and mart.phase_breakdown
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from mttr_pipeline import reports
from mttr_pipeline.publish import publish
from mttr_pipeline.sources.registry import load_settings
from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.models import Model

AS_OF = datetime(2025, 10, 1, tzinfo=UTC)
VARIANTS = {"basic": 4, "service_restore": 3, "full_recovery": 5}  # place of the end stamp in a row of `_python`
SCOPES = {"severity": 0, "service": 1, "team": 2}
LIMIT_US = 168 * 3_600_000_000  # the default outlier rule
PERCENTILES = {"median_minutes": 0.5, "p90_minutes": 0.9, "p95_minutes": 0.95, "p99_minutes": 0.99}

# uniform(i, salt) is in (0, 1), the same on every run; normal() is Box-Muller on two of them.
GENERATE = """
CREATE TEMP MACRO uniform(i, salt) AS ((hash(i::BIGINT * 1000 + salt) >> 11)::DOUBLE + 0.5) / 9007199254740992.0;
CREATE TEMP MACRO normal(i, salt) AS sqrt(-2 * ln(uniform(i, salt))) * cos(2 * pi() * uniform(i, salt + 500));
CREATE TEMP MACRO after_minutes(i, salt, median, sigma) AS to_microseconds((6e7 * median * exp(sigma * normal(i, salt)))::BIGINT);
INSERT INTO mart.incidents BY NAME
WITH drawn AS (
    SELECT
        i,
        TIMESTAMP '{as_of}' - to_microseconds((uniform(i, 1) * {days} * 86400e6)::BIGINT) AS detected_at,
        'service-' || lpad((floor(pow(uniform(i, 2), 2) * {services}))::INTEGER::VARCHAR, 3, '0') AS service,
        uniform(i, 3) AS luck,
        CASE WHEN uniform(i, 4) < 0.05 THEN 'SEV1' WHEN uniform(i, 4) < 0.2 THEN 'SEV2' WHEN uniform(i, 4) < 0.6 THEN 'SEV3'
            ELSE 'SEV4' END AS severity
    FROM range({rows}) AS r(i)
),
stamped AS (
    SELECT
        *,
        detected_at - after_minutes(i, 10, 3, 1) AS occurred_at,
        CASE WHEN uniform(i, 11) < 0.92 THEN detected_at + after_minutes(i, 12, 5, 1) END AS acknowledged_at,
        CASE WHEN uniform(i, 13) < 0.6 THEN detected_at + after_minutes(i, 14, 25, 0.9) END AS root_cause_found_at,
        CASE WHEN uniform(i, 15) < 0.8 THEN detected_at + after_minutes(i, 16, 45, 1) END AS mitigated_at,
        CASE
            WHEN luck < 0.005 THEN detected_at - after_minutes(i, 18, 10, 1)
            WHEN luck < 0.015 THEN detected_at + INTERVAL 8 DAY + after_minutes(i, 18, 10000, 1)
            WHEN luck < 0.985 THEN detected_at + after_minutes(i, 18, 70, 1.2)
        END AS resolved_at
    FROM drawn
),
closed AS (
    SELECT *, CASE WHEN uniform(i, 19) < 0.7 THEN resolved_at + after_minutes(i, 20, 600, 1) END AS closed_at FROM stamped
)
SELECT
    left(h, 8) || '-' || h[9:12] || '-5' || h[14:16] || '-8' || h[18:20] || '-' || h[21:32] AS incident_id,
    CASE WHEN uniform(i, 21) < 0.7 THEN 'pagerduty' ELSE 'jira' END AS source,
    i::VARCHAR AS external_id, i::VARCHAR AS key, service || ': ' || SYMPTOMS[1 + (hash(i * 31) % 24)::BIGINT] AS title,
    'https://larkspur.example/incidents/' || i AS url,
    CASE WHEN uniform(i, 22) < 0.99 THEN 'incident' ELSE 'false_alarm' END AS kind,
    severity, severity AS severity_first, severity AS severity_max, 'priority' AS severity_source,
    CASE WHEN closed_at IS NOT NULL THEN 'closed' WHEN resolved_at IS NOT NULL THEN 'resolved'
        WHEN mitigated_at IS NOT NULL THEN 'mitigated' WHEN acknowledged_at IS NOT NULL THEN 'acknowledged'
        ELSE 'detected' END AS status,
    detected_at AS started_at, occurred_at, detected_at, acknowledged_at, root_cause_found_at, mitigated_at, resolved_at,
    closed_at, resolved_at AS first_resolved_at,
    'derived' AS occurred_provenance, 'api' AS detected_provenance,
    uniform(i, 22) < 0.99 AS is_counted,
    CASE WHEN uniform(i, 22) < 0.99 AND resolved_at >= detected_at THEN (epoch_us(resolved_at) - epoch_us(detected_at)) / 6e7 END
        AS resolve_minutes,
    1 AS episode, (uniform(i, 23) < 0.05)::INTEGER AS reopen_count, 0 AS flap_count,
    (acknowledged_at IS NOT NULL)::INTEGER AS ack_count,
    (epoch_us(coalesce(resolved_at, TIMESTAMP '{as_of}')) - epoch_us(detected_at)) / 6e7 AS active_minutes,
    coalesce(resolved_at IS NOT NULL AND uniform(i, 24) < 0.1, false) AS auto_resolved,
    CASE WHEN resolved_at IS NULL THEN NULL WHEN uniform(i, 24) < 0.1 THEN 'integration' ELSE 'human' END AS resolution_kind,
    service, 'team-' || lpad((right(service, 3)::INTEGER % {teams})::VARCHAR, 2, '0') AS team,
    updated_at: coalesce(closed_at, resolved_at, detected_at),
    last_event_at: coalesce(closed_at, resolved_at, mitigated_at, detected_at),
    is_abandoned: resolved_at IS NULL AND last_event_at < TIMESTAMP '{as_of}' - INTERVAL 7 DAY,
    false AS is_before_history
FROM (SELECT *, md5(i::VARCHAR) AS h FROM closed)
ORDER BY started_at, incident_id
"""


SYMPTOMS = [
    f"{what} {how}"
    for what in ("requests", "logins", "payments", "the queue", "the disk", "replication")
    for how in ("fail", "time out", "is slow", "is full")
]


def opened(data: Path, config: Path | None = None) -> Warehouse:
    """The warehouse of this benchmark. DuckDB may take as much memory as it would on a machine with 8 GiB."""
    data.mkdir(parents=True, exist_ok=True)
    warehouse = Warehouse(data / "work.duckdb", load_settings({}, data_dir=data, config=config), AS_OF, "benchmark")
    warehouse.con.execute("SET memory_limit = '3.2 GiB'")
    return warehouse


def built_in(normalised: Path) -> Path:
    """Where a night is made of a copy of the normalised incidents."""
    return normalised.with_name("night")


def downstream() -> list[Model]:
    """What is made of core.incidents, in order."""
    reached = {"core.incidents"}
    found = []
    for model in default_catalog():
        if model.schema != "raw" and reached.intersection(model.depends):
            reached.add(model.table)
            found.append(model)
    return found


def generate(data: Path, rows: int, services: int, teams: int) -> dict[str, Any]:
    """Everything that core.incidents comes from stays empty."""
    warehouse = opened(data)
    try:
        later = {model.table for model in downstream()}
        for model in default_catalog():
            if model.table not in later:
                warehouse.build(model)
        as_of = AS_OF.replace(tzinfo=None).isoformat(" ")
        sql = GENERATE.replace("SYMPTOMS", str(SYMPTOMS)).format(
            rows=rows, services=services, teams=teams, as_of=as_of, days=1095
        )
        for statement in sql.split(";\n"):
            warehouse.con.execute(statement)
    finally:
        warehouse.close()
    return {}


def night(normalised: Path) -> dict[str, Any]:
    """Seconds and rows per table, those of the checks, of the files and of the summary."""
    data = built_in(normalised)
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(normalised, data)
    warehouse = opened(data)
    tables, checks, checks_cpu, failed = {}, 0.0, 0.0, []
    try:
        for model in downstream():
            model.function()  # imports are no part of the work
        for name in ("altair", "vl_convert"):
            import_module(name)
        for model in downstream():
            started, cpu = time.perf_counter(), time.process_time()
            rows = warehouse.build(model)
            ended, cpu_ended = time.perf_counter(), time.process_time()
            failed += [
                f"{model.table}.{check.name}: {check.detail}" for check in warehouse.check(model) if not check.passed
            ]
            checks += time.perf_counter() - ended
            checks_cpu += time.process_time() - cpu_ended
            tables[model.table] = [ended - started, rows, cpu_ended - cpu]
        started = time.perf_counter()
        for scope in SCOPES:
            warehouse.con.execute(
                f"""SELECT calculation_type, {scope}_id, mttr_measures(population, observed_us) FROM facts.population
                GROUP BY calculation_type, {scope}_id"""
            ).fetchall()
        groupings = time.perf_counter() - started
        started, cpu = time.perf_counter(), time.process_time()
        generation = publish(warehouse, data / "published", "benchmark")
        written, written_cpu = time.perf_counter(), time.process_time()
        reports.markdown(reports.read(generation.folder))
        told, told_cpu = time.perf_counter(), time.process_time()
    finally:
        warehouse.close()
    shutil.rmtree(data / "published")
    return {
        "tables": tables,
        "checks": checks,
        "checks_cpu": checks_cpu,
        "failed": failed,
        "groupings": groupings,
        "files": written - started,
        "files_cpu": written_cpu - cpu,
        "summary": told - written,
        "summary_cpu": told_cpu - written_cpu,
    }


def report(normalised: Path) -> dict[str, Any]:
    """What people read; nothing is kept."""
    warehouse = opened(built_in(normalised))
    try:
        started = time.perf_counter()
        documents = reports.documents(warehouse.con)
        for document in documents.values():
            reports.dumps(document)
        reports.render(documents)
        return {"seconds": time.perf_counter() - started}
    finally:
        warehouse.close()


def plain_python(normalised: Path) -> dict[str, Any]:
    """Every variant by severity, service and team: dictionaries, sorted lists and arithmetic. Reading the rows is not timed."""
    warehouse = opened(built_in(normalised))
    try:
        rows = warehouse.con.execute(
            """SELECT severity, coalesce(service, 'unknown'), coalesce(team, 'unknown'), epoch_us(mitigated_at),
                epoch_us(resolved_at), epoch_us(closed_at), epoch_us(detected_at)
            FROM mart.incidents WHERE duplicate_of IS NULL AND kind = 'incident'"""
        ).fetchall()
        started = time.perf_counter()
        population = [_classified(row) for row in rows]
        classified = time.perf_counter()
        computed = _statistics(population)
        ended = time.perf_counter()
        published = warehouse.con.execute(
            f"""SELECT calculation_type, scope, scope_value, incidents_analyzed, mean_minutes, {", ".join(PERCENTILES)},
                std_dev_minutes
            FROM mart.mttr_stats WHERE scope <> 'all' AND window_start IS NULL"""
        ).fetchall()
    finally:
        warehouse.close()
    wrong = [row[:3] for row in published if row[0] in VARIANTS and not _same(row[3:], computed.get(row[:3]))]
    return {
        "seconds": ended - started,
        "statistics": ended - classified,
        "groups": len(computed),
        "wrong": [list(key) for key in wrong],
    }


def reference(normalised: Path) -> dict[str, Any]:
    """`calculate` and `breakdown` of tests/reference.py for every variant and member, whole history. Reading is not timed."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    import reference as told

    warehouse = opened(built_in(normalised))
    try:
        columns = ", ".join(f"epoch_us({name}_at)" for name in told.STAMPS)
        query = f"""SELECT severity, service, team, {columns} FROM mart.incidents
            WHERE duplicate_of IS NULL AND kind = 'incident'"""
        members: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for severity, service, team, *stamps in warehouse.con.execute(query).fetchall():
            at = {name: us for name, us in zip(told.STAMPS, stamps, strict=True) if us is not None}
            incident = told.Incident("", told.Record("", severity=severity, service=service, team=team), at=at)
            for key in (("all", "all"), ("severity", severity), ("service", service), ("team", team)):
                members[key].append(incident)
        figures: dict[tuple[str, ...], list[float | None]] = {}
        started = time.perf_counter()
        for (scope, member), incidents in members.items():
            for variant, (start, end) in told.VARIANTS.items():
                row = told.calculate(incidents, start, end)
                figures[variant, scope, member] = [
                    row[name] for name in ("mean_minutes", "p95_minutes", "std_dev_minutes")
                ]
                for model in told.PHASES:
                    for phase, found in told.breakdown(incidents, model, start, end).items():
                        figures[variant, scope, member, model, phase] = [found["mean_minutes"], found["median_minutes"]]
        seconds = time.perf_counter() - started
        published = warehouse.con.execute(
            """SELECT [calculation_type, scope, scope_value], [mean_minutes, p95_minutes, std_dev_minutes] FROM mart.mttr_stats
            WHERE window_start IS NULL
            UNION ALL
            SELECT [calculation_type, scope, scope_value, phase_model, phase], [mean_minutes, median_minutes]
            FROM mart.phase_breakdown WHERE window_start IS NULL"""
        ).fetchall()
    finally:
        warehouse.close()
    ours = {tuple(key): values for key, values in published}
    wrong = [key for key, values in figures.items() if not _same(tuple(values), ours.get(key))]
    return {"seconds": seconds, "figures": len(figures), "wrong": [list(key) for key in wrong]}


def _classified(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Severity, service, team, and a duration per variant where it is analysed."""
    durations: list[int | None] = []
    for end in VARIANTS.values():
        duration = row[end] - row[6] if row[end] is not None and row[6] is not None else None
        durations.append(duration if duration is not None and 0 <= duration <= LIMIT_US else None)
    return (*row[:3], *durations)


def _statistics(rows: list[tuple[Any, ...]]) -> dict[tuple[str, str, str], list[float | int | None]]:
    results = {}
    for place, variant in enumerate(VARIANTS, 3):
        for scope, column in SCOPES.items():
            groups: dict[str, list[int]] = defaultdict(list)
            for row in rows:
                if row[place] is not None:
                    groups[row[column]].append(row[place])
            for member, durations in groups.items():
                durations.sort()
                measured: list[float | int | None] = [len(durations), statistics.mean(durations) / 6e7]
                measured += [_percentile(durations, p) / 6e7 for p in PERCENTILES.values()]
                measured.append(statistics.stdev(durations) / 6e7 if len(durations) > 1 else None)
                results[variant, scope, member] = measured
    return results


def _percentile(ordered: list[int], p: float) -> float:
    position = (len(ordered) - 1) * p
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def _same(published: tuple[Any, ...], computed: list[Any] | None) -> bool:
    if computed is None:
        return published[0] == 0
    return all(
        (a is None) == (b is None) and (a is None or math.isclose(a, b, rel_tol=1e-9))
        for a, b in zip(published, computed, strict=True)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=("generate", "night", "reports", "python", "reference"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--teams", type=int, default=40)
    options = parser.parse_args()
    if options.side == "generate":
        result = generate(options.data, options.rows, options.services, options.teams)
    else:
        sides = {
            "night": night,
            "reports": report,
            "python": plain_python,
            "reference": reference,
        }
        result = sides[options.side](options.data)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
