/*
description = """Incident channels of Slack: those whose name, or a name that they had, fits the patterns of the settings, and that could be read. A
channel that is only listed says nothing about its incident, so it is none. A standing channel is no incident either: one that the
settings name, or in which people wrote on more days than standing_days."""
unique = [["external_id"]]

[columns]
external_id = "id of the channel"
name = "its name"
site_url = "address of the workspace; NULL where neither a pull nor web_url says it"
topic = "topic as sent"
purpose = "purpose as sent"
created_at = "when it was made"
updated_at = "when any property of it changed last"
is_archived = "whether it is archived"
is_private = "whether it is private"
days = "days, in UTC, on which people wrote"
is_standing = "whether it is a standing channel and no incident"
is_named_standing = "whether the settings say so"
landed_in = "landing file"
*/
WITH fitting AS (
    SELECT DISTINCT n.external_id
    FROM (SELECT external_id, unnest(names) AS name FROM raw.${source}_channels) AS n
    JOIN config.source_settings AS p ON p.source = '${source}' AND p.setting = 'channel' AND regexp_matches(n.name, p.value)
),
named AS (
    SELECT DISTINCT c.external_id
    FROM raw.${source}_channels AS c
    JOIN config.source_settings AS p ON p.source = '${source}' AND p.setting = 'standing' AND regexp_matches(c.name, p.value)
),
said AS (
    SELECT channel_id, count(DISTINCT CASE WHEN slack_is_said(subtype, bot_id) THEN sent_at::DATE END) AS days
    FROM raw.${source}_messages
    GROUP BY channel_id
),
site AS (
    SELECT coalesce(
        (SELECT rtrim(web_url, '/') FROM config.sources WHERE source = '${source}'),
        (SELECT max_by(nullif(site_url, ''), landed_in) FROM raw.${source}_channels WHERE site_url <> '')) AS url
),
most AS (
    SELECT value::BIGINT AS days FROM config.source_settings WHERE source = '${source}' AND setting = 'standing_days'
)
SELECT
    c.external_id,
    c.name,
    site.url AS site_url,
    c.topic,
    c.purpose,
    c.created_at,
    c.updated_at,
    c.is_archived,
    c.is_private,
    coalesce(s.days, 0) AS days,
    n.external_id IS NOT NULL OR coalesce(s.days > most.days, false) AS is_standing,
    n.external_id IS NOT NULL AS is_named_standing,
    c.landed_in
FROM raw.${source}_channels AS c
SEMI JOIN fitting AS f ON f.external_id = c.external_id
CROSS JOIN site
LEFT JOIN most ON true
LEFT JOIN said AS s ON s.channel_id = c.external_id
LEFT JOIN named AS n ON n.external_id = c.external_id
WHERE c.is_readable OR s.channel_id IS NOT NULL
