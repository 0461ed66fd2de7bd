"""The sides of the correlation benchmark, each a process of its own on one working database:

generate  a warehouse whose staged records, events and links are synthetic
build     every table that is made of them, timed one by one
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

from _side_metrics import AS_OF, opened

from mttr_pipeline.warehouse.catalog import default_catalog

# Each block of ten records: a page with its ticket; a page with its ticket and an alert of the same key; and five that stand alone.
# One ticket in twenty cites a page that was long over: its link is not followed. One page in fifty is merged into another one, one
# ticket in 2,000 blocks is a review that lists six pages, and one alert tool's incident in 5,000 blocks is linked with 40 alerts.
# uniform() is as in _side_metrics.
GENERATE = """
CREATE TEMP MACRO uniform(i, salt) AS ((hash(i::BIGINT * 1000 + salt) >> 11)::DOUBLE + 0.5) / 9007199254740992.0;
CREATE TEMP MACRO later(i, salt, minutes) AS to_microseconds((-6e7 * minutes * ln(uniform(i, salt)))::BIGINT);
CREATE TABLE main.drawn AS
WITH numbered AS (
    SELECT i, i // 10 AS block, i % 10 AS slot,
        ['pagerduty', 'jira', 'pagerduty', 'jira', 'alertmanager', 'pagerduty', 'pagerduty', 'jira', 'opsgenie',
            'opsgenie_incident'][1 + i % 10] AS source,
        -- The records of one incident begin within minutes.
        CASE WHEN i % 10 < 2 THEN i // 10 * 10 WHEN i % 10 < 5 THEN i // 10 * 10 + 2 ELSE i END AS story
    FROM range({rows}) AS r(i)
),
begun AS (
    SELECT *,
        TIMESTAMP '{as_of}' - to_microseconds((uniform(story, 1) * 700 * 86400e6 + 86400e6)::BIGINT) + later(i, 2, 2)
            + CASE WHEN slot = 1 AND uniform(block, 3) < 0.05 THEN INTERVAL 9 DAY ELSE INTERVAL 0 DAY END AS detected_at
    FROM numbered
)
SELECT *, detected_at + later(i, 4, 8) AS acknowledged_at, detected_at + INTERVAL 10 MINUTE + later(i, 5, 30) AS mitigated_at,
    detected_at + INTERVAL 10 MINUTE + later(i, 5, 30) + later(i, 6, 40) AS resolved_at,
    upper(to_hex(i + 268435456)) AS id
FROM begun;
CREATE TABLE main.given_records AS
SELECT source, 'Q' || id AS external_id,
    CASE WHEN source = 'jira' THEN 'OPS-' || (i + 1) ELSE '#' || i END AS key,
    'service ' || (i * 31) % 199 || ' fails with code ' || (i * 17) % 1009 AS title,
    CASE source
        WHEN 'jira' THEN 'https://acme.tracker.example/browse/OPS-' || (i + 1)
        WHEN 'opsgenie' THEN 'https://acme.alerts.example/alert/detail/Q' || id || '/details'
        WHEN 'opsgenie_incident' THEN 'https://acme.alerts.example/incident/detail/Q' || id
        WHEN 'pagerduty' THEN 'https://acme.pager.example/incidents/Q' || id
    END AS url,
    CASE WHEN uniform(i, 7) < 0.01 THEN 'false_alarm' ELSE 'incident' END AS kind,
    'SEV' || (1 + hash(i) % 4)::VARCHAR AS severity,
    CASE WHEN source = 'jira' THEN 'field' ELSE 'priority' END AS severity_source,
    'service-' || lpad((floor(pow(uniform(story, 8), 2) * 200))::INTEGER::VARCHAR, 3, '0') AS service,
    'team-' || (story % 40)::VARCHAR AS team,
    CASE WHEN slot = 6 AND uniform(block, 9) < 0.02 THEN 'Q' || upper(to_hex(i - 1 + 268435456)) END AS duplicate_of_id,
    slot = 6 AND uniform(block, 9) < 0.02 AS is_duplicate,
    CASE WHEN source = 'pagerduty' THEN 'key-' || i END AS dedup_key,
    resolved_at AS updated_at, ['prod', 'region-' || i % 7] AS tags, (uniform(i, 10) * 1000)::BIGINT AS affected_users
FROM main.drawn;
CREATE TABLE main.given_events AS
SELECT source, 'Q' || id AS external_id, id || '-' || told.word AS event_id, told.word AS event_type,
    told.happened_at AS happened_at, 'human' AS actor_kind, 'api' AS provenance
FROM (
    SELECT source, id, unnest([
        {{'word': 'detected', 'happened_at': detected_at}}, {{'word': 'acknowledged', 'happened_at': acknowledged_at}},
        {{'word': 'note', 'happened_at': acknowledged_at}}, {{'word': 'mitigated', 'happened_at': mitigated_at}},
        {{'word': 'resolved', 'happened_at': resolved_at}}]) AS told
    FROM main.drawn
);
CREATE TABLE main.given_links AS
SELECT 'jira' AS source, 'Q' || id AS external_id, CASE WHEN i % 3 = 0 THEN 'remote_link' ELSE 'description' END AS place,
    CASE WHEN i % 3 = 0 THEN NULL ELSE 'description' END AS text_id, 'url' AS reason, 'url' AS target_kind,
    NULL::VARCHAR AS target_source,
    'https://acme.pager.example/incidents/Q' || upper(to_hex(i - 1 + 268435456)) AS target, false AS is_responder
FROM main.drawn WHERE slot = 1
UNION ALL
SELECT 'pagerduty', 'Q' || id, CASE WHEN i % 3 = 0 THEN 'note' ELSE 'title' END, 'text',
    CASE WHEN i % 3 = 0 THEN 'text' ELSE 'key' END, 'key', NULL, 'OPS-' || (i + 2), false
FROM main.drawn WHERE slot = 2
UNION ALL
SELECT 'alertmanager', 'Q' || id, 'group_key', NULL, 'dedup', 'dedup', NULL, 'key-' || (i - 2), false
FROM main.drawn WHERE slot = 4
UNION ALL
SELECT 'jira', 'Q' || id, 'description', 'description', 'url', 'url', NULL,
    'https://acme.pager.example/incidents/Q' || upper(to_hex((i - 7) + unnest(range(0, 60, 10)) + 268435456)), false
FROM main.drawn WHERE slot = 7 AND block % 2000 = 7
UNION ALL
SELECT 'opsgenie_incident', 'Q' || id, 'associated_alert', NULL, 'vendor', 'id', 'opsgenie',
    'Q' || upper(to_hex((i - 1) + unnest(range(0, 400, 10)) + 268435456)), false
FROM main.drawn WHERE slot = 9 AND block % 5000 = 11;
DROP TABLE main.drawn;
"""
OFF = "[correlation]\nenabled = false\n"
GIVEN = ("staging.records", "staging.events", "staging.links")


def generate(data: Path, rows: int) -> dict[str, Any]:
    """What vendors say is empty; what the sources make of it is drawn."""
    warehouse = opened(data)
    try:
        for model in default_catalog():
            if model.schema in ("raw", "staging"):
                warehouse.build(model)
        for statement in GENERATE.format(rows=rows, as_of=AS_OF.replace(tzinfo=None).isoformat(" ")).split(";\n"):
            warehouse.con.execute(statement)
        for name in GIVEN:
            given = {row[0] for row in warehouse.con.execute(f"DESCRIBE main.given_{name[8:]}").fetchall()}
            missing = [
                f"NULL::{kind} AS {column}"
                for column, kind in warehouse.columns(warehouse.catalog[name]).items()
                if column not in given
            ]
            told = ", ".join(["*", *missing])
            warehouse.con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT {told} FROM main.given_{name[8:]}")
        return {"links": warehouse.con.execute("SELECT count(*) FROM main.given_links").fetchall()[0][0]}
    finally:
        warehouse.close()


def build(given: Path, is_off: bool) -> dict[str, Any]:
    """Seconds, rows and CPU seconds of each table, in a copy of the working database; with correlation off, of those of `core`."""
    data = given.with_name("build")
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(given, data)
    config = data / "mttr.toml"
    config.write_text(OFF if is_off else "", encoding="utf-8")
    warehouse = opened(data, config)
    try:
        wanted = ("config", "core") if is_off else None
        models = [
            m for m in default_catalog() if m.schema not in ("raw", "staging") and (not wanted or m.schema in wanted)
        ]
        for model in models:
            model.function()  # imports are no part of the work
        tables = {}
        for model in models:
            started, cpu = time.perf_counter(), time.process_time()
            rows = warehouse.build(model)
            tables[model.table] = [time.perf_counter() - started, rows, time.process_time() - cpu]
        failed = [
            f"{model.table}.{check.name}: {check.detail}"
            for model in models
            if model.table.startswith("core.")
            for check in warehouse.check(model)
            if not check.passed
        ]
        counted = "SELECT status, count(*) FROM mart.links GROUP BY ALL"
        followed = [] if is_off else warehouse.con.execute(counted).fetchall()
    finally:
        warehouse.close()
    return {"tables": tables, "failed": failed, "links": dict(followed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=("generate", "build"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--off", action="store_true", help="[correlation] enabled = false")
    options = parser.parse_args()
    generates = options.side == "generate"
    print(json.dumps(generate(options.data, options.rows) if generates else build(options.data, options.off)))


if __name__ == "__main__":
    main()
