/*
description = "Opsgenie incidents in the common shape. Names of services and teams are today's."
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "always opsgenie_incident"
external_id = "Opsgenie id of the incident"
key = "tiny id"
title = "title"
url = "page of the incident"
kind = "always incident"
severity = "SEV1..SEV4, NULL when nothing says it"
severity_source = "always priority"
vendor_severity = "the vendor's priority"
vendor_status = "status as sent"
service = "name of the service"
team = "owner team, else the first responding team, else the team of the service"
tags = "tags"
root_cause_category = "none in this source"
affected_users = "none in this source"
revenue_impact = "none in this source"
duplicate_of_id = "none in this source"
is_duplicate = "always false"
dedup_key = "none in this source"
updated_at = "when it was changed last"
landed_in = "landing file"
*/
SELECT
    'opsgenie_incident' AS source,
    i.external_id,
    i.tiny_id AS key,
    i.title,
    i.url,
    'incident' AS kind,
    s.severity,
    CASE WHEN s.severity IS NOT NULL THEN 'priority' END AS severity_source,
    i.priority AS vendor_severity,
    i.status AS vendor_status,
    service.name AS service,
    coalesce(owner.name, responder.name, service_team.name) AS team,
    i.tags,
    NULL::VARCHAR AS root_cause_category,
    NULL::BIGINT AS affected_users,
    NULL::DOUBLE AS revenue_impact,
    NULL::VARCHAR AS duplicate_of_id,
    false AS is_duplicate,
    NULL::VARCHAR AS dedup_key,
    i.updated_at,
    i.landed_in
FROM raw.opsgenie_incidents AS i
LEFT JOIN raw.opsgenie_services AS service ON service.external_id = i.service_id
LEFT JOIN raw.opsgenie_teams AS owner ON owner.external_id = i.owner_team
LEFT JOIN raw.opsgenie_teams AS responder ON responder.external_id = i.responder_team_id
LEFT JOIN raw.opsgenie_teams AS service_team ON service_team.external_id = service.team_id
LEFT JOIN config.severities AS s ON s.source = 'opsgenie' AND s.value = lower(i.priority)
