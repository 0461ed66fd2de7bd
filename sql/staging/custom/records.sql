/*
description = "Custom records in the common shape."
like = "staging.records"
yields = "records"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "the account"
external_id = "the record's own id"
title = "="
url = "link as written"
kind = "="
severity = "="
severity_source = "always field"
vendor_severity = "severity as written"
vendor_status = "="
service = "="
team = "="
tags = "="
root_cause_category = "as written"
affected_users = "as written"
revenue_impact = "as written, in the currency of the reader"
duplicate_of_id = "external_id of the record that it repeats"
is_duplicate = "whether it repeats another one"
updated_at = "="
landed_in = "landing file, then file and line of the import"
resolution_kind = "human, integration or timeout, as written"
*/
SELECT
    '${source}' AS source,
    r.external_id,
    r.title,
    r.url,
    r.kind,
    s.severity,
    CASE WHEN s.severity IS NOT NULL THEN 'field' END AS severity_source,
    r.severity AS vendor_severity,
    r.status AS vendor_status,
    r.service,
    r.team,
    r.tags,
    r.root_cause_category,
    r.affected_users,
    r.revenue_impact,
    r.duplicate_of AS duplicate_of_id,
    r.duplicate_of IS NOT NULL AS is_duplicate,
    r.updated_at,
    r.landed_in,
    r.resolution_kind
FROM raw.${source}_records AS r
LEFT JOIN config.severities AS s ON s.source = '${source}' AND s.word = normalized(r.severity)
