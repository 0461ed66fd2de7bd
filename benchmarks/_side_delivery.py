"""The side of the delivery benchmark: the tables of deploys beside synthetic incidents, built one by one and timed.

generate  the incidents of the metrics benchmark, their records, and deploys of their services: a tenth are in two tools, one in
          twenty brings back what ran before, one in fifty says which incident it caused, one in ten names a ticket
build     every table that is made of deploys
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import _side_metrics
import _side_tables
from _side_metrics import opened

TABLES = (
    *(
        "core.deploy_records",
        "core.deploy_groups",
        "core.deploys",
        "core.deploy_causes",
        "core.named_deploys",
        "core.incident_deploys",
        "core.reworks",
    ),
    *("core.delivery_members", "facts.deployed", "figures.deploy_recoveries", "mart.delivery", "mart.deploys"),
    *("mart.incident_deploys", "mart.deploy_records"),
)
#: How the links are known.
COUNTED = "SELECT method, count(*) FROM mart.incident_deploys GROUP BY method"
GENERATE = """
CREATE TEMP MACRO uniform(i, salt) AS ((hash(i::BIGINT * 1000 + salt) >> 11)::DOUBLE + 0.5) / 9007199254740992.0;
INSERT INTO core.vendor_records BY NAME
SELECT source, external_id, 'OPS-' || external_id AS key, url, kind, severity, severity_source, service, team, false AS is_duplicate
FROM mart.incidents;
INSERT INTO mart.incident_sources BY NAME
SELECT incident_id, incident_id AS record_id, source, external_id, 1 AS episode, 'primary' AS role FROM mart.incidents;
CREATE TABLE main.given_deploys AS
WITH drawn AS (
    SELECT
        i, 'service-' || lpad((floor(pow(uniform(i, 2), 2) * {services}))::INTEGER::VARCHAR, 3, '0') AS service,
        TIMESTAMP '{as_of}' - to_microseconds((uniform(i, 1) * {days} * 86400e6)::BIGINT) AS finished_at,
        md5((CASE WHEN uniform(i, 3) < 0.05 THEN i - 40 ELSE i END)::VARCHAR) AS sha,
        CASE WHEN uniform(i, 4) < 0.9 THEN 'success' ELSE 'failure' END AS status
    FROM range({rows}) AS r(i)
),
told AS (
    SELECT 'custom' AS source, 'd' || i AS external_id, * FROM drawn
    UNION ALL
    SELECT 'jira', 'e' || i, * REPLACE (finished_at + INTERVAL 90 SECOND AS finished_at) FROM drawn WHERE i % 10 = 0
)
SELECT
    source, external_id, service, CASE WHEN uniform(i, 5) < 0.7 THEN 'production' ELSE 'staging' END AS environment,
    NULL::VARCHAR AS version, sha, status, NULL::VARCHAR AS vendor_status, finished_at - INTERVAL 20 MINUTE AS requested_at,
    finished_at - INTERVAL 10 MINUTE AS started_at, finished_at, 'exact' AS finished_precision,
    finished_at - INTERVAL 2 DAY AS first_commit_at,
    CASE WHEN uniform(i, 6) < 0.1 THEN 'Fix OPS-' || (hash(i) % {incidents}) ELSE 'Faster queries' END AS title,
    ['Faster queries', 'Smaller images'] AS texts, NULL::VARCHAR AS url, NULL::VARCHAR AS rollback_of, false AS says_rollback,
    CASE WHEN uniform(i, 7) < 0.02 THEN [(hash(i + 1) % {incidents})::VARCHAR] END AS caused, false AS is_shared,
    finished_at AS updated_at, 'file' AS landed_in
FROM told;
CREATE OR REPLACE VIEW staging.deploys AS FROM main.given_deploys;
INSERT INTO core.names SELECT 'service', service, service, service, NULL FROM (SELECT DISTINCT service FROM given_deploys)
"""


def generate(data: Path, incidents: int, rows: int) -> dict[str, Any]:
    """Incidents, their records and deploys."""
    _side_metrics.generate(data, incidents, 200, 40)
    warehouse = opened(data)
    try:
        as_of = _side_metrics.AS_OF.replace(tzinfo=None).isoformat(" ")
        sql = GENERATE.format(rows=rows, incidents=incidents, services=200, as_of=as_of, days=1095)
        for statement in sql.split(";\n"):
            warehouse.con.execute(statement)
    finally:
        warehouse.close()
    return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=("generate", "build"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--incidents", type=int, default=1_000_000)
    parser.add_argument("--deploys", type=int, default=100_000)
    options = parser.parse_args()
    if options.side == "generate":
        print(json.dumps(generate(options.data, options.incidents, options.deploys)))
    else:
        print(json.dumps(_side_tables.build(options.data, (*TABLES, "figures.deploy_observations"), counted=COUNTED)))


if __name__ == "__main__":
    main()
