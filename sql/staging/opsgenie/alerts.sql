/*
description = """Each Opsgenie alert as it was seen last: as pulled, or as received actions after that show it, each attribute by the
newest one that carries it. What no action carries stays as pulled."""
like = "raw.${source}_alerts"
not_null = ["external_id"]
unique = [["external_id"]]
view = true

[columns]
external_id = "="
tiny_id = "="
alias = "="
title = "="
status = "="
priority = "="
tags = "="
owner = "who owned it when it was pulled"
integration_name = "integration that raised it, as pulled: an action names the one that told of it"
team_id = "="
ack_ms = "milliseconds from createdAt to the acknowledgement, as pulled"
close_ms = "milliseconds from createdAt to the close, as pulled"
acknowledged_by = "who acknowledged it, as pulled"
closed_by = "who closed it, as pulled"
created_at = "="
updated_at = "="
landed_in = "="
team_name = "name of the team where a received action says it"
entity = "what the alert is about, where it was received"
details = "free key-value pairs, where they were received"
*/
WITH newest AS (
    SELECT
        external_id,
        max(happened_at) AS happened_at,
        bool_or(event_type = 'resolved') AS is_closed,
        max_by(tiny_id, place) AS tiny_id,
        max_by(alias, place) AS alias,
        max_by(title, place) AS title,
        max_by(priority, place) AS priority,
        max_by(tags, place) AS tags,
        max_by(entity, place) AS entity,
        max_by(details, place) AS details,
        max_by(team_id, place) AS team_id,
        max_by(team_name, place) AS team_name,
        min(created_at) AS created_at,
        max_by(landed_in, place) AS landed_in
    FROM (SELECT *, row_number() OVER (ORDER BY happened_at, delivery_id) AS place FROM staging.${source}_received WHERE is_snapshot)
    GROUP BY external_id
)
SELECT p.*, NULL::VARCHAR AS team_name, NULL::VARCHAR AS entity, NULL::MAP(VARCHAR, JSON) AS details
FROM raw.${source}_alerts AS p
LEFT JOIN newest AS n ON n.external_id = p.external_id
WHERE coalesce(n.happened_at <= p.updated_at, true)
UNION ALL BY NAME
SELECT
    n.external_id,
    coalesce(n.tiny_id, p.tiny_id) AS tiny_id,
    coalesce(n.alias, p.alias) AS alias,
    coalesce(n.title, p.title) AS title,
    CASE WHEN n.is_closed THEN 'closed' ELSE coalesce(p.status, 'open') END AS status,
    coalesce(n.priority, p.priority) AS priority,
    coalesce(n.tags, p.tags) AS tags,
    p.owner, p.integration_name,
    coalesce(p.team_id, n.team_id) AS team_id,
    p.ack_ms, p.close_ms, p.acknowledged_by, p.closed_by,
    coalesce(p.created_at, n.created_at) AS created_at,
    n.happened_at AS updated_at,
    n.landed_in, n.team_name, n.entity, n.details
FROM newest AS n
LEFT JOIN raw.${source}_alerts AS p ON p.external_id = n.external_id
WHERE coalesce(n.happened_at > p.updated_at, true)
