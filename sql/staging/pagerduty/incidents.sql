/*
description = """Each PagerDuty incident as it was seen last: as pulled, or as a received event after that shows it. What no event carries
stays as pulled."""
like = "raw.${source}_incidents"
not_null = ["external_id"]
unique = [["external_id"]]
view = true

[columns]
external_id = "="
incident_number = "="
title = "="
html_url = "="
status = "="
urgency = "="
priority_id = "="
priority_name = "="
service_id = "="
service_name = "="
team_id = "="
team_name = "="
escalation_policy = "as pulled; no event carries it"
incident_key = "="
created_at = "="
resolved_at = "as pulled; no event carries it"
last_status_change_at = "as pulled, unless the status is another one since"
last_status_change_by_type = "="
merged_into = "="
updated_at = "as pulled, else when the event happened"
named = "as pulled; events leave it as it was"
landed_in = "="
*/
WITH newest AS (
    SELECT *
    FROM (
        SELECT *, row_number() OVER (PARTITION BY external_id ORDER BY happened_at DESC, event_id DESC) AS place
        FROM staging.${source}_received
        WHERE is_snapshot
    )
    WHERE place = 1
),
-- The vendor tells updated_at in whole seconds: an event of the same second is no news.
news AS (
    SELECT n.*, p.named, p.escalation_policy, p.resolved_at, p.last_status_change_at, p.last_status_change_by_type, p.status AS status_before,
        p.created_at AS created_before
    FROM newest AS n
    LEFT JOIN raw.${source}_incidents AS p ON p.external_id = n.external_id
    WHERE coalesce(date_trunc('second', n.happened_at) > p.updated_at, true)
)
SELECT p.* FROM raw.${source}_incidents AS p ANTI JOIN news ON news.external_id = p.external_id
UNION ALL BY NAME
SELECT
    external_id, incident_number, title, html_url, status, urgency, priority_id, priority_name, service_id, service_name,
    team_id, team_name, escalation_policy, incident_key,
    coalesce(created_before, created_at) AS created_at,
    CASE WHEN status = status_before THEN resolved_at END AS resolved_at,
    CASE WHEN status = status_before THEN last_status_change_at END AS last_status_change_at,
    CASE WHEN status = status_before THEN last_status_change_by_type END AS last_status_change_by_type,
    merged_into, happened_at AS updated_at, named, landed_in
FROM news
