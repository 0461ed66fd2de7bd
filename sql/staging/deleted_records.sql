/*
description = """Records that we hold and their vendor has not any more. They are left out of everything that follows, and counted."""
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "source of the record"
external_id = "its id"
seen_missing_at = "clock of the run that missed it. UTC"
landed_in = "landing file of the finding"
*/
SELECT 'pagerduty' AS source, external_id, seen_missing_at, landed_in
FROM raw.pagerduty_tombstones WHERE of_stream = 'incidents'
UNION ALL
SELECT 'opsgenie', external_id, seen_missing_at, landed_in FROM raw.opsgenie_tombstones WHERE of_stream = 'alerts'
UNION ALL
SELECT 'opsgenie_incident', external_id, seen_missing_at, landed_in
FROM raw.opsgenie_tombstones WHERE of_stream = 'incidents'
UNION ALL
SELECT 'jsm', external_id, seen_missing_at, landed_in FROM raw.jsm_tombstones WHERE of_stream = 'alerts'
UNION ALL
SELECT 'jira', external_id, seen_missing_at, landed_in FROM raw.jira_tombstones WHERE of_stream = 'issues'
