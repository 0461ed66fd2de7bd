/*
description = """Records that we hold and their vendor has not any more: found missing by a pull, or told by a received event. What was
received about a record after it was missed takes it off this list. They are left out of everything that follows, and counted."""
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "source of the record"
external_id = "its id"
seen_missing_at = "clock of the run that missed it, or when it was deleted. UTC"
landed_in = "landing file of the finding"
*/
WITH missing AS (
    SELECT 'pagerduty' AS source, t.external_id, t.seen_missing_at, t.landed_in
    FROM raw.pagerduty_tombstones AS t
    ANTI JOIN staging.pagerduty_received AS r
        ON r.external_id = t.external_id AND r.is_snapshot AND r.happened_at > t.seen_missing_at
    WHERE t.of_stream = 'incidents'
    UNION ALL
    SELECT 'opsgenie', t.external_id, t.seen_missing_at, t.landed_in
    FROM raw.opsgenie_tombstones AS t
    ANTI JOIN staging.opsgenie_received AS r
        ON r.external_id = t.external_id AND r.is_snapshot AND r.happened_at > t.seen_missing_at
    WHERE t.of_stream = 'alerts'
    UNION ALL
    SELECT 'opsgenie_incident', external_id, seen_missing_at, landed_in
    FROM raw.opsgenie_tombstones WHERE of_stream = 'incidents'
    UNION ALL
    SELECT 'jsm', external_id, seen_missing_at, landed_in FROM raw.jsm_tombstones WHERE of_stream = 'alerts'
    UNION ALL
    SELECT 'jira', t.external_id, t.seen_missing_at, t.landed_in
    FROM raw.jira_tombstones AS t
    ANTI JOIN staging.jira_received AS r
        ON r.external_id = t.external_id AND r.is_snapshot AND r.happened_at > t.seen_missing_at
    WHERE t.of_stream = 'issues'
    UNION ALL
    SELECT 'opsgenie', external_id, happened_at, landed_in FROM staging.opsgenie_received WHERE action = 'delete'
    UNION ALL
    SELECT 'jira', external_id, happened_at, landed_in FROM staging.jira_received WHERE event_type = 'jira:issue_deleted'
)
SELECT source, external_id, min(seen_missing_at) AS seen_missing_at, min(landed_in) AS landed_in
FROM missing
GROUP BY source, external_id
