/*
description = """The newest payload of each JSM Operations alert, typed. ackTime and closeTime are instants here, not durations as
in Opsgenie; which of two acknowledgements ackTime means is not documented, so the log goes first (Jira Service Management
Operations REST API, List alerts)."""
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "id, immutable"
tiny_id = "short number shown to people; used again over time"
alias = "dedup key; unique among open alerts only"
title = "message"
status = "open, acked, snoozed, resolved or closed; others are kept as sent"
priority = "P1..P5"
tags = "tags"
owner = "who owns it now, by name"
integration_name = "integration that raised it"
team_id = "owner team, else the first team among the responders"
responders = "who it was routed to: id and type"
acknowledged_at = "ackTime; NULL when nobody did or when it is no instant"
ended_at = "closeTime; NULL when it is not closed or when it is no instant"
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
    plain_text(integrationName) AS integration_name,
    coalesce(text_or_null(ownerTeamId), text_or_null(list_filter(responders, lambda r: lower(r.type) = 'team')[1].id))
        AS team_id,
    responders,
    instant(ackTime, zone) AS acknowledged_at,
    instant(closeTime, zone) AS ended_at,
    instant(createdAt, zone) AS created_at,
    instant(updatedAt, zone) AS updated_at,
    CASE
        WHEN text_or_null(id) IS NULL THEN 'no id'
        ELSE instant_problem('createdAt', createdAt, instant(createdAt, zone))
    END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', tinyId: 'VARCHAR', alias: 'VARCHAR', message: 'VARCHAR', status: 'VARCHAR', priority: 'VARCHAR',
    tags: 'VARCHAR[]', owner: 'VARCHAR', ownerTeamId: 'VARCHAR', integrationName: 'VARCHAR', createdAt: 'VARCHAR',
    updatedAt: 'VARCHAR', ackTime: 'VARCHAR', closeTime: 'VARCHAR', responders: 'STRUCT(id VARCHAR, "type" VARCHAR)[]'
})
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
