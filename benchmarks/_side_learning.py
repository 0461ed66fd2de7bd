"""The side of the learning benchmark: the tables of what was learned beside synthetic incidents, built one by one and timed.

generate  the incidents of the metrics benchmark, each a record of a pager with two notifications and an assignment; one in two has a
          deduplication key that comes back, one in three a root cause; a post-mortem for half of the severe ones, which names four,
          and an action for every second of them
build     every table that is made of them
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import _side_metrics
import _side_tables
from _side_metrics import opened

from mttr_pipeline.warehouse.catalog import default_catalog

TABLES = (
    *("core.origins", "core.assignments", "core.pages", "core.repeats", "core.follow_ups", "facts.learned"),
    *("mart.detection_sources", "mart.ownership", "mart.unowned_incidents", "mart.recurrence", "mart.repeaters"),
    *("mart.noise", "mart.oncall_load", "mart.follow_ups", "mart.learning"),
)
#: What they are made of, which every run makes anyway.
BEFORE = ("core.scope_members", "facts.matched")
GENERATE = """
CREATE TEMP MACRO uniform(i, salt) AS ((hash(i::BIGINT * 1000 + salt) >> 11)::DOUBLE + 0.5) / 9007199254740992.0;
UPDATE mart.incidents
SET source = 'pagerduty', root_cause_category = CASE WHEN uniform(rowid, 1) < 0.3 THEN 'cause-' || (rowid % 9) END;
INSERT INTO core.vendor_records BY NAME
SELECT source, external_id, kind, severity, severity_source, service, team, false AS is_duplicate,
    CASE WHEN uniform(rowid, 2) < 0.5 THEN 'key-' || (hash(rowid) % ({incidents} // 20 + 1)) END AS dedup_key,
    'integration' AS reported_via,
    CASE WHEN uniform(rowid, 3) < 0.6 THEN 'monitor' WHEN uniform(rowid, 3) < 0.8 THEN 'customer' END AS detected_by
FROM mart.incidents;
INSERT INTO mart.incident_sources BY NAME
SELECT incident_id, incident_id AS record_id, source, external_id, 1 AS episode, 'primary' AS role FROM mart.incidents;
INSERT INTO core.standalone BY NAME
SELECT incident_id AS record_id, source, external_id,
    'CPU at ' || (rowid % 100) || '% on web-' || (rowid % 40) || ' of ' || service AS title,
    kind, severity, severity_source, status, started_at, detected_at, acknowledged_at, resolved_at, 1 AS episode, 0 AS reopen_count,
    auto_resolved, service, team, 'pager' AS role, 'human' AS acknowledged_by
FROM mart.incidents;
INSERT INTO core.timeline BY NAME
SELECT source, external_id AS record_id, external_id AS member_id, external_id || '/' || event AS event_id,
    event AS event_type, 1 AS episode, make_timestamp(epoch_us(started_at)) + to_seconds(10) AS happened_at, 9 AS rank,
    'api' AS provenance, 'human' AS actor_kind
FROM mart.incidents, (SELECT unnest(['notified', 'assigned', 'notified']) AS event) AS e;
CREATE TABLE main.given_follow_ups AS
SELECT
    'jira' AS source, 'p' || (rowid // 4) AS external_id, k.kind, source AS incident_source, external_id AS incident_id,
    NULL::VARCHAR AS key, 'Review' AS title, NULL::VARCHAR AS url, NULL::VARCHAR AS service, NULL::VARCHAR AS team,
    make_timestamp(epoch_us(resolved_at)) + INTERVAL 1 DAY AS created_at,
    make_timestamp(epoch_us(resolved_at)) + INTERVAL 9 DAY AS due_at,
    make_timestamp(epoch_us(resolved_at)) + to_days((uniform(rowid, 5) * 12)::INTEGER) AS completed_at, 'Done' AS status,
    uniform(rowid, 6) < 0.3 AS is_test, 'file' AS landed_in
FROM mart.incidents, (SELECT unnest(['post_mortem', 'action']) AS kind) AS k
WHERE severity IN ('SEV1', 'SEV2') AND resolved_at IS NOT NULL AND uniform(rowid // 4, 7) < 0.5;
CREATE OR REPLACE VIEW staging.follow_ups AS FROM main.given_follow_ups;
CREATE TABLE main.given_responders AS
SELECT source, external_id, 'rota-' || (rowid % 50) AS responder, 'escalation' AS kind FROM mart.incidents;
CREATE OR REPLACE VIEW staging.responders AS FROM main.given_responders
"""


def generate(data: Path, incidents: int) -> dict[str, Any]:
    """Incidents, their records, what their logs tell, and follow-ups."""
    _side_metrics.generate(data, incidents, 200, 40)
    warehouse = opened(data)
    try:
        for statement in GENERATE.format(incidents=incidents).split(";\n"):
            warehouse.con.execute(statement)
        for model in default_catalog():
            if model.table in BEFORE:
                warehouse.build(model)
    finally:
        warehouse.close()
    return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=("generate", "build"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--incidents", type=int, default=1_000_000)
    options = parser.parse_args()
    if options.side == "generate":
        print(json.dumps(generate(options.data, options.incidents)))
    else:
        print(json.dumps(_side_tables.build(options.data, TABLES, before=BEFORE)))


if __name__ == "__main__":
    main()
