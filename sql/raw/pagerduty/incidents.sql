/*
description = """The newest payload of each PagerDuty incident, typed. `acknowledgements` is left out on purpose: the API
empties it when the incident is resolved (PagerDuty REST API reference, Incident)."""
key = ["external_id"]
version = "updated_at"
by_record = true

[columns]
external_id = "id, immutable"
incident_number = "number shown to people"
title = "title, else summary"
html_url = "page of the incident"
status = "triggered, acknowledged or resolved; others are kept as sent"
urgency = "high or low"
priority_id = "id of the priority; NULL where none is set"
priority_name = "name of the priority where the payload carries it"
service_id = "id of the service it belongs to now"
service_name = "that service's name when the incident was read"
team_id = "first of the teams"
team_name = "that team's name when the incident was read"
escalation_policy = "name of the escalation policy when the incident was read"
incident_key = "dedup key; NULL for incidents with child alerts"
created_at = "when it was triggered"
resolved_at = "as sent; NULL while open and for incidents resolved before 2023"
last_status_change_at = "as sent"
last_status_change_by_type = "kind of reference that changed the status last"
merged_into = "incident it was merged into"
updated_at = "as sent, since 2023-05"
named = "pages that the body, the bridge and external references name, with the place"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    incident_number,
    coalesce(text_or_null(title), text_or_null(summary)) AS title,
    html_url,
    lower(status) AS status,
    lower(urgency) AS urgency,
    priority.id AS priority_id,
    plain_text(coalesce(priority.name, priority.summary)) AS priority_name,
    service.id AS service_id,
    plain_text(coalesce(service.name, service.summary)) AS service_name,
    teams[1].id AS team_id,
    plain_text(coalesce(teams[1].name, teams[1].summary)) AS team_name,
    plain_text(coalesce(escalation_policy.name, escalation_policy.summary)) AS escalation_policy,
    text_or_null(incident_key) AS incident_key,
    instant(created_at, zone) AS created_at,
    instant(resolved_at, zone) AS resolved_at,
    instant(last_status_change_at, zone) AS last_status_change_at,
    last_status_change_by.type AS last_status_change_by_type,
    CASE WHEN resolve_reason.type = 'merge_resolve_reason' THEN resolve_reason.incident.id END AS merged_into,
    instant(updated_at, zone) AS updated_at,
    named_in(list_concat(
        [
            {'place': 'description', 'text_id': 'body', 'text': concat_ws(' ', body.details, description)},
            {'place': 'conference_bridge', 'text_id': NULL, 'text': conference_bridge.conference_url}
        ],
        list_transform(external_references,
            lambda r: {'place': 'external_reference', 'text_id': NULL::VARCHAR, 'text': r.external_url})
    )) AS named,
    CASE
        WHEN is_blank(id) THEN 'no id'
        ELSE instant_problem('created_at', created_at, instant(created_at, zone))
    END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', incident_number: 'VARCHAR', title: 'VARCHAR', summary: 'VARCHAR', html_url: 'VARCHAR',
    status: 'VARCHAR', urgency: 'VARCHAR', incident_key: 'VARCHAR',
    created_at: 'VARCHAR', resolved_at: 'VARCHAR', last_status_change_at: 'VARCHAR', updated_at: 'VARCHAR',
    priority: 'STRUCT(id VARCHAR, name VARCHAR, summary VARCHAR)',
    service: 'STRUCT(id VARCHAR, name VARCHAR, summary VARCHAR)',
    teams: 'STRUCT(id VARCHAR, name VARCHAR, summary VARCHAR)[]',
    escalation_policy: 'STRUCT(name VARCHAR, summary VARCHAR)', last_status_change_by: 'STRUCT(type VARCHAR)',
    resolve_reason: 'STRUCT("type" VARCHAR, incident STRUCT(id VARCHAR))',
    description: 'VARCHAR', body: 'STRUCT(details VARCHAR)', conference_bridge: 'STRUCT(conference_url VARCHAR)',
    external_references: 'STRUCT(external_url VARCHAR)[]'
})
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
