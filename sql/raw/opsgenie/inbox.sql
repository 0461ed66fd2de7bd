/*
description = """Received webhook bodies of Opsgenie (and of JSM Operations, which look the same), one row per action however often it
was delivered. A body has no id of its own. createdAt is in milliseconds, updatedAt in milliseconds or nanoseconds (Opsgenie
documentation, Alert action data)."""
inbox = true
key = ["delivery_id"]

[columns]
delivery_id = "made of what the body says"
action = "such as acknowledge or close, in lower case; others are kept as sent"
external_id = "id of the alert"
happened_at = "updatedAt of the alert, else createdAt"
tiny_id = "short number shown to people"
alias = "dedup key"
title = "message"
priority = "P1..P5"
old_priority = "priority before an UpdatePriority"
tags = "tags"
entity = "what the alert is about"
details = "free key-value pairs, the values as JSON"
team_id = "first team among the teams or responders"
team_name = "name of that team, where the body says it"
actor = "who did it: a user name (an address), else the name of the source"
note = "text of a note"
created_at = "when the alert was raised"
reject_reason = "why the body cannot be used"
landed_in = "landing file, then file and line of the inbox"
*/
WITH bodies AS (
    SELECT
        body, body -> '$.alert' AS alert, unreadable, reason, zone,
        landed_in || ' (' || file || ':' || line || ')' AS landed_in,
        list_filter(
            json_transform(body -> '$.alert.responders', '[{"type":"VARCHAR","id":"VARCHAR","name":"VARCHAR"}]'),
            lambda r: r.type = 'team'
        )[1] AS team
    FROM landed({file: 'VARCHAR', line: 'BIGINT', unreadable: 'VARCHAR', reason: 'VARCHAR', body: 'JSON'})
    CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
),
named AS (
    SELECT
        *,
        lower(text_or_null(body ->> '$.action')) AS action,
        text_or_null(alert ->> '$.alertId') AS external_id,
        coalesce(text_or_null(alert ->> '$.updatedAt'), text_or_null(alert ->> '$.createdAt')) AS stamp
    FROM bodies
)
SELECT
    content_id([action, external_id, stamp, alert ->> '$.username', alert ->> '$.note', alert ->> '$.priority',
        alert ->> '$.recipient', body ->> '$.source.name']) AS delivery_id,
    action,
    external_id,
    any_fine_instant(stamp, zone) AS happened_at,
    alert ->> '$.tinyId' AS tiny_id,
    text_or_null(alert ->> '$.alias') AS alias,
    text_or_null(alert ->> '$.message') AS title,
    text_or_null(alert ->> '$.priority') AS priority,
    text_or_null(alert ->> '$.oldPriority') AS old_priority,
    json_transform(alert -> '$.tags', '["VARCHAR"]') AS tags,
    json_text(alert -> '$.entity') AS entity,
    json_map(alert -> '$.details') AS details,
    coalesce(team.id, text_or_null(alert ->> '$.teams[0]')) AS team_id,
    text_or_null(team.name) AS team_name,
    coalesce(text_or_null(alert ->> '$.username'), text_or_null(body ->> '$.source.name')) AS actor,
    text_or_null(alert ->> '$.note') AS note,
    any_instant(alert ->> '$.createdAt', zone) AS created_at,
    CASE
        WHEN unreadable IS NOT NULL THEN unreadable_reason(reason, unreadable)
        WHEN action IS NULL THEN 'no action'
        WHEN external_id IS NULL THEN 'no alertId'
        ELSE instant_problem('updatedAt', stamp, any_fine_instant(stamp, zone))
    END AS reject_reason,
    landed_in
FROM named
