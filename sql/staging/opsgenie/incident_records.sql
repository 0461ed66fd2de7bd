/*
description = "Opsgenie incidents in the common shape. Names of services and teams are today's."
like = "staging.records"
yields = "records"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "the account, with _incident"
external_id = "Opsgenie id of the incident"
key = "tiny id"
title = "="
url = "page of the incident"
kind = "always incident"
severity = "="
severity_source = "always priority"
vendor_severity = "the vendor's priority"
vendor_status = "="
service = "="
team = "owner team, else the first responding team, else the team of the service"
tags = "="
updated_at = "="
landed_in = "="
*/
SELECT
    '${source}_incident' AS source,
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
    i.updated_at,
    i.landed_in
FROM raw.${source}_incidents AS i
LEFT JOIN raw.${source}_services AS service ON service.external_id = i.service_id
LEFT JOIN raw.${source}_teams AS owner ON owner.external_id = i.owner_team
LEFT JOIN raw.${source}_teams AS responder ON responder.external_id = i.responder_team_id
LEFT JOIN raw.${source}_teams AS service_team ON service_team.external_id = service.team_id
LEFT JOIN config.severities AS s ON s.source = '${source}' AND s.word = normalized(i.priority)
