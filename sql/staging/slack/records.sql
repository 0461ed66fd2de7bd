/*
description = """Incident channels of Slack in the common shape, without standing ones. An archived channel is over; when, only its archiving says."""
like = "staging.records"
yields = "records"
unique = [["external_id"]]

[columns]
source = "the account"
external_id = "id of the channel"
key = "name of the channel"
title = "its topic, else its purpose, else its name; addresses left out"
url = "page of the channel; NULL where neither a pull nor web_url says where the workspace is"
kind = "always incident"
severity = "what a topic or a tool said last, else that of the topic, the purpose or the name"
severity_source = "tool, topic or name"
vendor_severity = "="
vendor_status = "archived, or NULL"
status_event = "closed of an archived channel"
updated_at = "when any property of the channel changed last"
landed_in = "="
*/
WITH last_told AS (
    SELECT channel_id, arg_max(word, ts) AS word, arg_max(severity, ts) AS severity, arg_max(place, ts) AS place
    FROM staging.${source}_told
    WHERE kind = 'severity' AND severity IS NOT NULL
    GROUP BY channel_id
),
written AS (
    SELECT
        c.external_id,
        coalesce(slack_severity(c.topic), slack_severity(c.purpose), slack_severity(c.name)) AS word,
        CASE WHEN coalesce(slack_severity(c.topic), slack_severity(c.purpose)) IS NOT NULL THEN 'topic' ELSE 'name' END AS place
    FROM staging.${source}_channels AS c
)
SELECT
    '${source}' AS source,
    c.external_id,
    c.name AS key,
    coalesce(slack_title(c.topic), slack_title(c.purpose), c.name) AS title,
    c.site_url || '/archives/' || c.external_id AS url,
    'incident' AS kind,
    coalesce(t.severity, s.severity) AS severity,
    CASE WHEN t.severity IS NOT NULL THEN t.place WHEN s.severity IS NOT NULL THEN w.place END AS severity_source,
    coalesce(t.word, w.word) AS vendor_severity,
    CASE WHEN c.is_archived THEN 'archived' END AS vendor_status,
    CASE WHEN c.is_archived THEN 'closed' END AS status_event,
    c.updated_at,
    c.landed_in
FROM staging.${source}_channels AS c
LEFT JOIN last_told AS t ON t.channel_id = c.external_id
LEFT JOIN written AS w ON w.external_id = c.external_id
LEFT JOIN config.severities AS s ON s.source = '${source}' AND s.word = normalized(w.word)
WHERE NOT c.is_standing
