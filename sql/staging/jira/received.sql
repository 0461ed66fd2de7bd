/*
description = """Received Jira events that count: those about issues, after the instant up to which the pulls know everything."""
like = "raw.${source}_inbox"
not_null = ["delivery_id", "external_id", "happened_at"]
unique = [["delivery_id"]]

[columns]
delivery_id = "id of the delivery, else made of the body"
event_type = "webhookEvent"
happened_at = "when it happened"
external_id = "numeric id of the issue"
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
created_at = "when it was created"
updated_at = "when it was changed last, else when the event happened"
resolution_at = "="
status_category_changed_at = "="
fields = "="
histories = "the change that it tells of"
landed_in = "="
is_snapshot = "whether it shows all of the issue as it was after the event; a stamp in the future shows nothing"
is_incident = "whether the vocabulary says that its issue type is an incident"
*/
SELECT
    r.* REPLACE (coalesce(r.updated_at, r.happened_at) AS updated_at),
    r.event_type IN ('jira:issue_created', 'jira:issue_updated') AND r.happened_at <= run.as_of + INTERVAL 5 MINUTE
        AS is_snapshot,
    coalesce(type.meaning = 'incident', false) AS is_incident
FROM raw.${source}_inbox AS r
CROSS JOIN config.run AS run
CROSS JOIN (SELECT max(data_as_of) AS known_until FROM ops.attempts WHERE source = '${source}') AS pulled
LEFT JOIN config.types AS type ON type.source = '${source}' AND type.word = normalized(r.issue_type)
WHERE r.external_id IS NOT NULL AND coalesce(r.happened_at > pulled.known_until, true)
