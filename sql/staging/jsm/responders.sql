/*
description = "Users, teams, schedules and escalations that JSM Operations alerts were routed to."
yields = "responders"

[columns]
source = "the account"
external_id = "id of the alert"
responder = "name of the team, else the vendor's id"
kind = "user, team, schedule or escalation"
*/
SELECT '${source}' AS source, a.external_id, coalesce(t.name, text_or_null(a.r.id)) AS responder, lower(a.r.type) AS kind
FROM (SELECT external_id, unnest(responders) AS r FROM raw.${source}_alerts) AS a
LEFT JOIN raw.${source}_teams AS t ON t.external_id = a.r.id
