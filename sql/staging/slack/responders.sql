/*
description = "People who wrote in an incident channel of Slack. Who only joined it may have looked on."
yields = "responders"
not_null = ["source", "external_id", "responder"]
unique = [["external_id", "responder"]]

[columns]
source = "the account"
external_id = "id of the channel"
responder = "full name, else the id"
kind = "always user"
*/
SELECT DISTINCT '${source}' AS source, m.channel_id AS external_id, coalesce(u.name, m.user_id) AS responder, 'user' AS kind
FROM raw.${source}_messages AS m
SEMI JOIN staging.${source}_channels AS c ON c.external_id = m.channel_id AND NOT c.is_standing
LEFT JOIN raw.${source}_users AS u ON u.external_id = m.user_id
WHERE slack_is_said(m.subtype, m.bot_id) AND m.user_id IS NOT NULL AND NOT coalesce(u.is_bot, false)
