/*
description = """Received Opsgenie actions that count: those after the instant up to which the pulls know everything. The
successor sends the same bodies: those of alerts that are pulled from there are left to that source."""
like = "raw.${source}_inbox"
not_null = ["delivery_id", "external_id", "event_type", "happened_at"]
unique = [["delivery_id"]]

[columns]
delivery_id = "="
external_id = "Opsgenie id of the alert"
action = "the vendor's word, in lower case"
event_type = "event of the incident model; `other` sets no stamp"
happened_at = "when it happened"
is_snapshot = "whether the alert is shown as it was after the action; a stamp in the future shows nothing"
tiny_id = "="
alias = "="
title = "="
priority = "="
old_priority = "="
tags = "="
entity = "="
details = "="
team_id = "="
team_name = "="
actor = "who did it"
note = "="
created_at = "="
landed_in = "="
*/
SELECT
    r.delivery_id, r.external_id, r.action, alert_log_event(r.action, NULL) AS event_type, r.happened_at,
    r.happened_at <= run.as_of + INTERVAL 5 MINUTE AS is_snapshot,
    r.tiny_id, r.alias, r.title, r.priority, r.old_priority, r.tags, r.entity, r.details, r.team_id, r.team_name, r.actor,
    r.note, r.created_at, r.landed_in
FROM raw.${source}_inbox AS r
CROSS JOIN config.run AS run
CROSS JOIN (SELECT max(data_as_of) AS known_until FROM ops.attempts WHERE source = '${source}') AS pulled
ANTI JOIN staging.pulled_alerts AS pulled_there ON pulled_there.external_id = r.external_id
WHERE coalesce(r.happened_at > pulled.known_until, true)
