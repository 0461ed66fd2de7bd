/*
description = """Each Jira issue as it was seen last: as pulled, or as a received event after that shows it. An issue that was never pulled
is taken when its type says incident; the configured query cannot be asked about it. A post-mortem is
no incident, whatever the query selects."""
like = "raw.${source}_issues"
not_null = ["external_id"]
unique = [["external_id"]]
view = true

[columns]
external_id = "="
key = "="
site_url = "="
project_key = "="
issue_type = "="
title = "="
status_id = "="
status = "="
status_category = "="
resolution = "="
priority = "="
reporter_type = "="
labels = "="
component = "="
links = "="
named = "="
created_at = "="
updated_at = "="
resolution_at = "="
status_category_changed_at = "="
fields = "="
histories = "embedded changelog, as pulled"
landed_in = "="
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
    -- A body need not show the comments.
    SELECT n.* REPLACE (
        p.histories AS histories,
        list_distinct(list_concat(n.named, list_filter(p.named, lambda found: found.place = 'comment'))) AS named)
    FROM newest AS n
    LEFT JOIN raw.${source}_issues AS p ON p.external_id = n.external_id
    WHERE CASE WHEN p.external_id IS NULL THEN n.is_incident ELSE coalesce(n.updated_at > p.updated_at, true) END
)
SELECT i.*
FROM (
    SELECT p.* FROM raw.${source}_issues AS p ANTI JOIN news ON news.external_id = p.external_id
    UNION ALL BY NAME
    SELECT * EXCLUDE (delivery_id, event_type, happened_at, is_snapshot, is_incident, place) FROM news
) AS i
ANTI JOIN (SELECT word FROM config.types WHERE source = '${source}' AND meaning = 'post_mortem') AS review ON review.word = normalized(i.issue_type)
