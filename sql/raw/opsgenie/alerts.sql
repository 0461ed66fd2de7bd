/*
description = """The newest payload of each Opsgenie alert as GET /v2/alerts lists it, typed. `report.ackTime` and
`report.closeTime` are milliseconds since createdAt, not instants (Opsgenie Alert API, List alerts)."""
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "id, immutable"
tiny_id = "short number shown to people; used again over time"
alias = "dedup key; unique among open alerts only"
title = "message"
status = "open or closed; others are kept as sent"
priority = "P1..P5"
tags = "tags"
owner = "who owns it now"
integration_name = "integration that raised it; NULL on alerts that an incident made"
team_id = "owner team, else the first of the teams"
ack_ms = "milliseconds from createdAt to the acknowledgement"
close_ms = "milliseconds from createdAt to the close"
acknowledged_by = "who acknowledged it"
closed_by = "who closed it"
created_at = "when it was raised"
updated_at = "when it was changed last"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    tinyId AS tiny_id,
    text_or_null(alias) AS alias,
    text_or_null(message) AS title,
    lower(status) AS status,
    plain_text(priority) AS priority,
    tags,
    text_or_null(owner) AS owner,
    plain_text(integration.name) AS integration_name,
    coalesce(text_or_null(ownerTeamId), teams[1].id) AS team_id,
    report.ackTime AS ack_ms,
    report.closeTime AS close_ms,
    text_or_null(report.acknowledgedBy) AS acknowledged_by,
    text_or_null(report.closedBy) AS closed_by,
    instant(createdAt, zone) AS created_at,
    instant(updatedAt, zone) AS updated_at,
    CASE
        WHEN text_or_null(id) IS NULL THEN 'no id'
        ELSE instant_problem('createdAt', createdAt, instant(createdAt, zone))
    END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', tinyId: 'VARCHAR', alias: 'VARCHAR', message: 'VARCHAR', status: 'VARCHAR', priority: 'VARCHAR',
    tags: 'VARCHAR[]', owner: 'VARCHAR', ownerTeamId: 'VARCHAR', createdAt: 'VARCHAR', updatedAt: 'VARCHAR',
    teams: 'STRUCT(id VARCHAR)[]',
    integration: 'STRUCT("name" VARCHAR)',
    report: 'STRUCT(ackTime BIGINT, closeTime BIGINT, acknowledgedBy VARCHAR, closedBy VARCHAR)'
})
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
