/*
description = """Received webhook bodies of Jira, one row per delivery however often it came, typed as in `raw.${source}_issues`. Only those
about an issue being created or changed show all of it; comments and the like carry a part (Jira Cloud platform, Webhooks)."""
like = "raw.${source}_issues"
inbox = true
key = ["delivery_id"]

[columns]
delivery_id = "id of the delivery, from the header X-Atlassian-Webhook-Identifier, else made of the whole body"
event_type = "webhookEvent, such as jira:issue_updated; others are kept as sent"
happened_at = "timestamp of the body"
external_id = "numeric id of the issue; NULL for events about something else"
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
created_at = "when the issue was created"
updated_at = "="
resolution_at = "resolutiondate as sent"
status_category_changed_at = "="
fields = "="
histories = "the change that the body tells of: status, priority, assignee and custom fields"
reject_reason = "why the body cannot be used"
landed_in = "landing file, then file and line of the inbox"
*/
WITH bodies AS (
    SELECT
        body, delivery, unreadable, reason, zone, landed_in || ' (' || file || ':' || line || ')' AS landed_in,
        json_map(body -> '$.issue.fields') AS fields,
        body -> '$.issue' AS issue,
        lower(text_or_null(body ->> '$.webhookEvent')) AS event_type,
        any_instant(body ->> '$.timestamp', zone) AS happened_at
    FROM landed({
        file: 'VARCHAR', line: 'BIGINT', delivery: 'VARCHAR', unreadable: 'VARCHAR', reason: 'VARCHAR', body: 'JSON'
    })
    CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
)
SELECT
    coalesce(text_or_null(delivery), content_id([body ->> '$.webhookEvent', body ->> '$.timestamp', body ->> '$.issue.id',
        body ->> '$.user.accountId', body ->> '$.user.name', body ->> '$.changelog.id', body ->> '$.comment.id'])) AS delivery_id,
    event_type,
    happened_at,
    text_or_null(issue ->> '$.id') AS external_id,
    unnest(jira_issue(issue ->> '$.key', issue ->> '$.self', fields, zone)),
    telling_changes([struct_pack(
        id := body ->> '$.changelog.id',
        created := body ->> '$.timestamp',
        author := json_transform(body -> '$.user',
            '{"accountId":"VARCHAR","accountType":"VARCHAR","key":"VARCHAR","name":"VARCHAR","displayName":"VARCHAR"}'),
        items := json_transform(body -> '$.changelog.items', '[{"field":"VARCHAR","fieldId":"VARCHAR","fieldtype":"VARCHAR",
            "from":"VARCHAR","fromString":"VARCHAR","to":"VARCHAR","toString":"VARCHAR"}]')
    )]) AS histories,
    CASE
        WHEN unreadable IS NOT NULL THEN unreadable_reason(reason, unreadable)
        WHEN event_type IS NULL THEN 'no webhookEvent'
        WHEN starts_with(event_type, 'jira:issue_') AND text_or_null(issue ->> '$.id') IS NULL THEN 'no issue'
        ELSE instant_problem('timestamp', body ->> '$.timestamp', happened_at)
    END AS reject_reason,
    landed_in
FROM bodies
