/*
description = """Opsgenie alerts in the common shape. The service is what the details name, else a tag `service:x`, else the
entity, else the integration. The API and the webhook name no page of an alert; it is at `/alert/detail/<id>/details` of the
account's address (observed: no document of the vendor says so)."""
like = "staging.records"
yields = "records"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "the account"
external_id = "Opsgenie id of the alert"
key = "tiny id"
title = "="
url = "page of the alert; NULL while neither web_url nor a team says where the account's pages are"
kind = "always incident"
severity = "="
severity_source = "always priority"
vendor_severity = "the vendor's priority"
vendor_status = "="
service = "="
team = "name of the owner team, else of the first team"
tags = "="
dedup_key = "alias"
updated_at = "="
field_problems = "="
reported_by = "integration that raised the alert"
reported_via = "integration; NULL where none is named"
landed_in = "="
*/
-- What was landed says where the pages are, not the environment, which a rebuild need not have. Of two names that the account
-- bore, the one that was read last.
WITH pages AS (
    SELECT coalesce(
        (SELECT web_url FROM config.sources WHERE source = '${source}'),
        (SELECT max_by(web_url, landed_in) FROM raw.${source}_teams)) AS web_url
)
SELECT
    '${source}' AS source,
    a.external_id,
    a.tiny_id AS key,
    a.title,
    pages.web_url || '/alert/detail/' || a.external_id || '/details' AS url,
    'incident' AS kind,
    s.severity,
    CASE WHEN s.severity IS NOT NULL THEN 'priority' END AS severity_source,
    a.priority AS vendor_severity,
    a.status AS vendor_status,
    coalesce(
        service_in(coalesce(d.details, a.details)), service_tag(a.tags), json_text(d.entity), a.entity, a.integration_name) AS service,
    coalesce(t.name, a.team_name) AS team,
    a.tags,
    a.alias AS dedup_key,
    a.updated_at,
    alert_problems(coalesce(d.details, a.details), d.entity) AS field_problems,
    a.integration_name AS reported_by,
    CASE WHEN a.integration_name IS NOT NULL THEN 'integration' END AS reported_via,
    a.landed_in
FROM staging.${source}_alerts AS a
CROSS JOIN pages
LEFT JOIN raw.${source}_alert_details AS d ON d.external_id = a.external_id
LEFT JOIN raw.${source}_teams AS t ON t.external_id = a.team_id
LEFT JOIN config.severities AS s ON s.source = '${source}' AND s.word = normalized(a.priority)
