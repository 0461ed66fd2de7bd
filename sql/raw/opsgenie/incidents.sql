/*
description = """The newest payload of each Opsgenie incident, typed. There is no resolution instant in it: updatedAt moves
with every later edit (Opsgenie Incident API, List incidents)."""
like = "raw.${source}_alerts"
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "="
tiny_id = "short number shown to people"
title = "="
url = "page of the incident"
status = "open, resolved or closed; others are kept as sent"
priority = "="
tags = "="
service_id = "first of the impacted services"
owner_team = "team that owns it: an id; empty on incidents without one"
responder_team_id = "first team among the responders"
impact_start_at = "when the impact began"
impact_end_at = "when the impact ended; NULL until somebody, or the resolve, sets it"
details = "free key-value pairs, the values as JSON"
named = "pages of records that the description names"
created_at = "when it was opened"
updated_at = "="
reject_reason = "="
landed_in = "="
*/
SELECT
    id AS external_id,
    tinyId AS tiny_id,
    text_or_null(message) AS title,
    links.web AS url,
    lower(status) AS status,
    plain_text(priority) AS priority,
    tags,
    impactedServices[1] AS service_id,
    text_or_null(ownerTeam) AS owner_team,
    list_filter(responders, lambda r: r.type = 'team')[1].id AS responder_team_id,
    instant(impactStartDate, zone) AS impact_start_at,
    instant(impactEndDate, zone) AS impact_end_at,
    json_map(extraProperties) AS details,
    record_pages_in(description) AS named,
    instant(createdAt, zone) AS created_at,
    instant(updatedAt, zone) AS updated_at,
    CASE
        WHEN text_or_null(id) IS NULL THEN 'no id'
        ELSE instant_problem('createdAt', createdAt, instant(createdAt, zone))
    END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', tinyId: 'VARCHAR', message: 'VARCHAR', status: 'VARCHAR', priority: 'VARCHAR', tags: 'VARCHAR[]',
    impactedServices: 'VARCHAR[]', ownerTeam: 'VARCHAR', responders: 'STRUCT("type" VARCHAR, id VARCHAR)[]',
    impactStartDate: 'VARCHAR', impactEndDate: 'VARCHAR', createdAt: 'VARCHAR', updatedAt: 'VARCHAR',
    links: 'STRUCT(web VARCHAR)', description: 'VARCHAR', extraProperties: 'JSON'
})
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
