/*
description = "Tickets in the common shape."
yields = "records"
unique = [["external_id"]]

[columns]
source = "the account"
external_id = "id of the ticket"
title = "title"
url = "page of the ticket"
kind = "always incident"
severity = "SEV1..SEV4 by the vocabulary"
severity_source = "always field"
vendor_severity = "severity as sent"
vendor_status = "status as sent"
service = "service"
team = "team"
updated_at = "when it changed last"
landed_in = "landing file"
*/
SELECT
    '${source}' AS source,
    t.external_id,
    t.title,
    t.url,
    'incident' AS kind,
    s.severity,
    'field' AS severity_source,
    t.severity AS vendor_severity,
    t.status AS vendor_status,
    t.service,
    t.team,
    t.updated_at,
    t.landed_in
FROM raw.${source}_tickets AS t
LEFT JOIN config.severities AS s ON s.source = '${source}' AND s.word = normalized(t.severity)
