/*
description = """Received webhook bodies of Jira, one row per delivery however often it came, typed as in `raw.jira_issues`. Only those
about an issue being created or changed show all of it; comments and the like carry a part (Jira Cloud platform, Webhooks)."""
source = "inbox"
stream = "jira"
key = ["delivery_id"]

[columns]
delivery_id = "id of the delivery, from the header X-Atlassian-Webhook-Identifier, else made of the whole body"
event_type = "webhookEvent, such as jira:issue_updated; others are kept as sent"
happened_at = "timestamp of the body"
external_id = "numeric id of the issue; NULL for events about something else"
is_incident = "whether its issue type is named Incident or [System] Incident"
key = "issue key"
site_url = "address of the site, from self"
project_key = "key of the project"
title = "summary"
status_id = "id of the current status"
status = "name of the current status"
status_category = "category of the current status: new, indeterminate or done"
resolution = "name of the resolution; NULL when none is set"
priority = "name of the priority"
labels = "labels"
component = "name of the first component"
links = "linked issues with the kind of link"
created_at = "when the issue was created"
updated_at = "when it was changed last, else the timestamp"
resolution_at = "resolutiondate as sent"
status_category_changed_at = "when the status category changed last; Cloud only"
fields = "custom fields and short system fields that have a value: id and JSON"
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
    CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = 'jira')
)
SELECT
    coalesce(text_or_null(delivery), content_id(body::VARCHAR)) AS delivery_id,
    event_type,
    happened_at,
    text_or_null(issue ->> '$.id') AS external_id,
    lower(trim(fields['issuetype'] ->> '$.name')) IN ('incident', '[system] incident') AS is_incident,
    issue ->> '$.key' AS key,
    nullif(regexp_extract(issue ->> '$.self', '^(https?://.+?)/rest/api/', 1), '') AS site_url,
    fields['project'] ->> '$.key' AS project_key,
    text_or_null(fields['summary'] ->> '$') AS title,
    fields['status'] ->> '$.id' AS status_id,
    fields['status'] ->> '$.name' AS status,
    fields['status'] ->> '$.statusCategory.key' AS status_category,
    text_or_null(fields['resolution'] ->> '$.name') AS resolution,
    text_or_null(fields['priority'] ->> '$.name') AS priority,
    json_transform(fields['labels'], '["VARCHAR"]') AS labels,
    text_or_null(fields['components'] ->> '$[0].name') AS component,
    json_transform(
        fields['issuelinks'], '[{"type":{"name":"VARCHAR"},"outwardIssue":{"id":"VARCHAR"},"inwardIssue":{"id":"VARCHAR"}}]'
    ) AS links,
    instant(fields['created'] ->> '$', zone) AS created_at,
    coalesce(instant(fields['updated'] ->> '$', zone), happened_at) AS updated_at,
    instant(fields['resolutiondate'] ->> '$', zone) AS resolution_at,
    instant(fields['statuscategorychangedate'] ->> '$', zone) AS status_category_changed_at,
    map_from_entries(list_filter(map_entries(fields), lambda f:
        json_type(f.value) <> 'NULL' AND (starts_with(f.key, 'customfield_') OR length(f.value) < 100))) AS fields,
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
