/*
description = """Incidents of a status page made with Statuspage: the answer of its API for incidents (/api/v2/incidents.json of the page, or
/v1/pages/<page>/incidents). An update that is posted after the end is a note and does not reopen the incident."""
form = "json"
records = ["incidents"]
needs = ["id", "created_at", "impact|incident_updates"]

[columns]
external_id = "id"
title = "name"
url = "shortlink"
severity = "impact: critical is SEV1, major SEV2, minor SEV3, none SEV4"
status = "status"
kind = "maintenance for an impact of maintenance and for a scheduled incident"
detected_at = "started_at, else created_at"
resolved_at = "resolved_at"
service = "first of the components"
tags = "names of the components"
timeline = "incident_updates: identified is root_cause_found, monitoring is mitigated"
updated_at = "updated_at"
*/
SELECT
    line,
    cell(record, '$.id') AS external_id,
    cell(record, '$.name') AS title,
    cell(record, '$.shortlink') AS url,
    CASE cell(record, '$.impact') WHEN 'critical' THEN 'SEV1' WHEN 'major' THEN 'SEV2' WHEN 'minor' THEN 'SEV3' WHEN 'none' THEN 'SEV4'
        WHEN 'maintenance' THEN NULL ELSE cell(record, '$.impact') END AS severity,
    cell(record, '$.status') AS status,
    CASE WHEN cell(record, '$.impact') = 'maintenance' OR cell(record, '$.scheduled_for') IS NOT NULL THEN 'maintenance' END AS kind,
    coalesce(cell(record, '$.started_at'), cell(record, '$.created_at')) AS detected_at,
    cell(record, '$.resolved_at') AS resolved_at,
    cell(record, '$.components') AS service,
    cells(record, '$.components', chr(10)) AS tags,
    list_transform(json_extract(record, '$.incident_updates[*]'), lambda u: {
        'event_type': CASE
            WHEN coalesce(u ->> '$.display_at', u ->> '$.created_at') > cell(record, '$.resolved_at') THEN 'note'
            WHEN u ->> '$.status' = 'investigating' THEN 'investigating'
            WHEN u ->> '$.status' = 'identified' THEN 'root_cause_found'
            WHEN u ->> '$.status' = 'monitoring' THEN 'mitigated'
            ELSE 'note' END,
        'at': coalesce(u ->> '$.display_at', u ->> '$.created_at'),
        'notes': u ->> '$.body'
    }) AS timeline,
    cell(record, '$.updated_at') AS updated_at
FROM given
