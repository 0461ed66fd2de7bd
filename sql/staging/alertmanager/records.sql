/*
description = "Received alerts of Alertmanager in the common shape: one record for each time an alert began to fire."
yields = "records"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "the account"
external_id = "fingerprint of the labels and the start of firing"
title = "annotation summary, else description, else the name of the alert"
url = "page of the expression, else of the Alertmanager"
kind = "always incident"
severity = "SEV1..SEV4, NULL when nothing says it"
severity_source = "always field"
vendor_severity = "label severity"
vendor_status = "firing or resolved; active, suppressed or unprocessed in a list of the API"
service = "label service, else job"
team = "label team"
tags = "the other labels as name:value"
dedup_key = "fingerprint of the labels"
updated_at = "when it was resolved, else when it began to fire"
alert_rule = "label alertname"
field_problems = "what is wrong with the labels that name severity, service and team"
landed_in = "landing file, then file and line of the inbox"
*/
SELECT
    '${source}' AS source,
    a.external_id,
    a.title,
    a.url,
    'incident' AS kind,
    s.severity,
    CASE WHEN s.severity IS NOT NULL THEN 'field' END AS severity_source,
    a.severity AS vendor_severity,
    a.status AS vendor_status,
    a.service,
    a.team,
    a.tags,
    a.fingerprint AS dedup_key,
    coalesce(a.ends_at, a.starts_at) AS updated_at,
    a.alert_name AS alert_rule,
    a.field_problems,
    a.landed_in
FROM raw.${source}_inbox AS a
LEFT JOIN config.severities AS s ON s.source = '${source}' AND s.word = normalized(a.severity)
