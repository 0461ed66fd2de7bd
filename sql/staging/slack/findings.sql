/*
description = """What is to be known about incident channels of Slack: marks in messages that were edited late, channels that were archived with others,
and channels that are taken for standing ones."""
yields = "findings"
not_null = ["source", "fact", "external_id"]

[columns]
source = "the account"
fact = "marks_in_edited_messages, channels_archived_in_bulk or standing_channels"
external_id = "channel, for a message with its ts"
example = "name of the channel"
landed_in = "landing file"
*/
SELECT '${source}' AS source, 'marks_in_edited_messages' AS fact, m.channel_id || '/' || m.ts AS external_id, c.name AS example, m.landed_in
FROM raw.${source}_messages AS m
JOIN staging.${source}_channels AS c ON c.external_id = m.channel_id AND NOT c.is_standing
SEMI JOIN staging.${source}_events AS e ON e.external_id = m.channel_id AND starts_with(e.event_id, m.ts || '/') AND e.event_type <> 'note'
WHERE slack_is_late_edit(m.sent_at, m.edited_at)
UNION ALL
SELECT '${source}', 'channels_archived_in_bulk', c.external_id, c.name, c.landed_in
FROM staging.${source}_archivings AS a
JOIN staging.${source}_channels AS c ON c.external_id = a.channel_id AND NOT c.is_standing
WHERE a.is_bulk
UNION ALL
SELECT '${source}', 'standing_channels', external_id, name, landed_in
FROM staging.${source}_channels
WHERE is_standing AND NOT is_named_standing
