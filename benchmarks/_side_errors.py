"""The side of the errors benchmark: the tables of error trackers and of incident channels beside synthetic incidents and deploys,
built one by one and timed.

generate  what the delivery benchmark generates, and issues of the same services, each with two entries of its history, 24 hours and
          14 days of counts; a fifth is linked to an incident. Releases have sessions of 30 days. And incident channels
build     every table that is made of issues, sessions and channels
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import _given_channels
import _side_delivery
import _side_metrics
import _side_tables
from _side_metrics import opened

from mttr_pipeline.warehouse.catalog import default_catalog

#: How the evidence is known.
COUNTED = f"SELECT method, count(*) FROM mart.incident_errors GROUP BY method UNION ALL {_given_channels.COUNTED}"
GIVEN = ("core.deploy_records", "core.deploy_groups", "core.deploys", "core.deploy_causes", "core.named_deploys")
TABLES = (
    *_given_channels.TABLES,
    *("core.releases", "core.errors", "core.error_episodes", "core.error_activity", "core.error_mentions"),
    *(
        "core.error_records",
        "core.error_record_events",
        "core.error_incidents",
        "core.incident_errors",
        "core.error_fixes",
    ),
    *(
        "figures.release_sessions",
        "mart.error_issues",
        "mart.error_episodes",
        "mart.incident_errors",
        "mart.error_coverage",
    ),
    "mart.release_health",
)
GENERATE = """
CREATE TEMP MACRO uniform(i, salt) AS ((hash(i::BIGINT * 1000 + salt) >> 11)::DOUBLE + 0.5) / 9007199254740992.0;
UPDATE main.given_deploys SET version = 'v' || (hash(external_id) % 400);
CREATE TABLE main.given_issues AS
SELECT
    'sentry' AS source, i::VARCHAR AS external_id, 'ERR-' || i AS key, 'Error ' || i AS title,
    'https://errors.example/issues/' || i AS url,
    'error' AS level, NULL::VARCHAR AS priority, CASE WHEN uniform(i, 1) < 0.5 THEN 'resolved' ELSE 'unresolved' END AS status,
    NULL::VARCHAR AS substatus, 'service-' || lpad((floor(pow(uniform(i, 2), 2) * 200))::INTEGER::VARCHAR, 3, '0') AS service,
    NULL::VARCHAR AS team, NULL::VARCHAR AS environment, 100::BIGINT AS events, (hash(i) % 5000)::BIGINT AS users,
    false AS is_unhandled,
    TIMESTAMP '{as_of}' - to_microseconds((uniform(i, 3) * 90 * 86400e6)::BIGINT) AS first_seen_at,
    -- A third is quiet since it was first seen.
    CASE WHEN i % 3 = 0 THEN first_seen_at
        ELSE TIMESTAMP '{as_of}' - to_microseconds((uniform(i, 4) * 86400e6)::BIGINT) END AS last_seen_at,
    'v' || (hash(i + 7) % 400) AS first_release, 'v' || (hash(i + 8) % 400) AS last_release,
    'v' || (hash(i + 9) % 400) AS resolved_in_release,
    NULL::VARCHAR AS assigned, ['c' || i] AS suspect_commits, ['page:' || i % 9] AS tags,
    TIMESTAMP '{as_of}' AS updated_at, 'file' AS landed_in
FROM range({issues}) AS r(i);
CREATE OR REPLACE VIEW staging.error_issues AS FROM main.given_issues;
CREATE TABLE main.given_told AS
SELECT 'sentry' AS source, external_id, 'e' AS event_id, 'resolved' AS event_type, first_seen_at + INTERVAL 5 HOUR AS happened_at,
    NULL::TIMESTAMP AS not_before, 'api' AS provenance, NULL::VARCHAR AS actor,
    'human' AS actor_kind, resolved_in_release AS release,
    NULL::VARCHAR AS notes, 'file' AS landed_in
FROM main.given_issues
UNION ALL
SELECT 'sentry', external_id, 'f', 'regression', first_seen_at + INTERVAL 2 DAY, NULL, 'api', NULL, NULL, last_release, NULL, 'file'
FROM main.given_issues WHERE status = 'unresolved';
CREATE OR REPLACE VIEW staging.error_events AS FROM main.given_told;
CREATE TABLE main.given_counts AS
SELECT 'sentry' AS source, external_id, TIMESTAMP '{as_of}' - to_hours(h::INTEGER) AS began_at, 60 AS minutes,
    CASE WHEN last_seen_at > first_seen_at THEN hash(h + external_id::BIGINT) % 9 ELSE 0 END::BIGINT AS events,
    NULL::VARCHAR AS release, TIMESTAMP '{as_of}' AS read_at
FROM main.given_issues CROSS JOIN range(1, 25) AS r(h)
UNION ALL
SELECT 'sentry', external_id, TIMESTAMP '{as_of}' - to_days(d::INTEGER), 1440,
    CASE WHEN last_seen_at > first_seen_at THEN hash(d + external_id::BIGINT) % 90 ELSE 0 END::BIGINT, NULL, TIMESTAMP '{as_of}'
FROM main.given_issues CROSS JOIN range(1, 15) AS r(d);
CREATE OR REPLACE VIEW staging.error_counts AS FROM main.given_counts;
CREATE TABLE main.given_sessions AS
SELECT 'sentry' AS source, 'v' || v AS version, 'service-' || lpad(s::VARCHAR, 3, '0') AS service, NULL::VARCHAR AS environment,
    TIMESTAMP '{as_of}' - to_days(d::INTEGER) AS began_at, 1000::BIGINT AS sessions,
    (hash(v + s + d) % 9)::BIGINT AS crashed, TIMESTAMP '{as_of}' AS read_at
FROM range(10) AS v(v) CROSS JOIN range(200) AS s(s) CROSS JOIN range(1, 31) AS d(d);
CREATE OR REPLACE VIEW staging.release_sessions AS FROM main.given_sessions;
INSERT INTO core.links BY NAME
SELECT 'pagerduty' AS source, i.external_id, i.incident_id AS record_id, 'alert_key' AS place, 'dedup' AS link_reason,
    e.key AS target,
    'sentry' AS other_source, e.external_id AS other_external_id, incident_uuid('sentry', e.external_id, 1) AS other_record_id,
    false AS is_responder, 0 AS apart_us, false AS is_doubt, true AS is_of_error
FROM main.given_issues AS e
JOIN mart.incidents AS i ON i.external_id = (hash(e.external_id) % {incidents})::VARCHAR AND e.external_id::BIGINT % 5 = 0
"""


def generate(data: Path, incidents: int, deploys: int, issues: int, channels: int) -> dict[str, Any]:
    """Incidents, deploys, issues and channels, and the tables of deploys."""
    _side_delivery.generate(data, incidents, deploys)
    warehouse = opened(data)
    try:
        as_of = _side_metrics.AS_OF.replace(tzinfo=None).isoformat(" ")
        sql = ";\n".join([GENERATE, _given_channels.GENERATE])
        for statement in sql.format(issues=issues, incidents=incidents, channels=channels, as_of=as_of).split(";\n"):
            warehouse.con.execute(statement)
        for model in default_catalog():
            if model.table in (*GIVEN, "core.incident_deploys"):
                warehouse.build(model)
    finally:
        warehouse.close()
    return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=("generate", "build"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--incidents", type=int, default=1_000_000)
    parser.add_argument("--deploys", type=int, default=100_000)
    parser.add_argument("--issues", type=int, default=50_000)
    parser.add_argument("--channels", type=int, default=5_000)
    options = parser.parse_args()
    if options.side == "generate":
        print(json.dumps(generate(options.data, options.incidents, options.deploys, options.issues, options.channels)))
    else:
        print(json.dumps(_side_tables.build(options.data, TABLES, counted=COUNTED)))


if __name__ == "__main__":
    main()
