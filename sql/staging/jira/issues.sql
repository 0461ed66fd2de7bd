/*
description = """Each Jira issue as it was seen last: as pulled, or as a received event after that shows it. An issue that was never pulled
is taken when its type says incident; the configured query cannot be asked about it."""
not_null = ["external_id"]
unique = [["external_id"]]
view = true

[columns]
external_id = "numeric id, immutable; the key changes when an issue is moved"
key = "issue key"
site_url = "address of the site, from self"
project_key = "key of the project"
issue_type = "name of the issue type"
title = "summary"
status_id = "id of the current status"
status = "name of the current status"
status_category = "category of the current status: new, indeterminate or done"
resolution = "name of the resolution; NULL when none is set"
priority = "name of the priority"
labels = "labels"
component = "name of the first component"
links = "linked issues with the kind of link"
created_at = "when it was created"
updated_at = "when it was changed last"
resolution_at = "resolutiondate as sent: set, kept and cleared by workflow functions"
status_category_changed_at = "when the status category changed last; Cloud only"
fields = "custom fields and short system fields that have a value: id and JSON"
histories = "embedded changelog, as pulled"
landed_in = "landing file"
*/
WITH newest AS (
    SELECT *
    FROM (
        SELECT *, row_number() OVER (
            PARTITION BY external_id ORDER BY updated_at DESC, happened_at DESC, delivery_id) AS place
        FROM staging.${source}_received
        WHERE is_snapshot
    )
    WHERE place = 1
),
news AS (
    SELECT n.* REPLACE (p.histories AS histories)
    FROM newest AS n
    LEFT JOIN raw.${source}_issues AS p ON p.external_id = n.external_id
    WHERE CASE WHEN p.external_id IS NULL THEN n.is_incident ELSE coalesce(n.updated_at > p.updated_at, true) END
)
SELECT p.* FROM raw.${source}_issues AS p ANTI JOIN news ON news.external_id = p.external_id
UNION ALL BY NAME
SELECT * EXCLUDE (delivery_id, event_type, happened_at, is_snapshot, is_incident, place) FROM news
