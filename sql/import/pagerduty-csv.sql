/*
description = """Incidents as PagerDuty exports them to CSV (Analytics, Insights or the incidents report: one row per incident). The
acknowledgement is created_on plus seconds_to_first_ack."""
form = "table"
needs = ["id|incident_id", "created_on|created_at"]

[columns]
external_id = "id"
title = "description"
severity = "name of the priority, else by urgency: high is SEV1, low SEV3"
status = "status"
detected_at = "created_on"
acknowledged_at = "created_on plus seconds_to_first_ack"
resolved_at = "resolved_on, else created_on plus seconds_to_resolve"
service = "service_name"
team = "team_name"
resolution_kind = "integration where auto_resolved is true"
*/
WITH read AS (
    SELECT *, coalesce(cell(record, '$.created_on'), cell(record, '$.created_at')) AS created_on FROM given
)
SELECT
    line,
    coalesce(cell(record, '$.id'), cell(record, '$.incident_id')) AS external_id,
    coalesce(cell(record, '$.description'), cell(record, '$.title')) AS title,
    coalesce(cell(record, '$.priority_name'), cell(record, '$.priority'),
        CASE lower(cell(record, '$.urgency')) WHEN 'high' THEN 'SEV1' WHEN 'low' THEN 'SEV3' END) AS severity,
    cell(record, '$.status') AS status,
    created_on AS detected_at,
    time_after(created_on, cell(record, '$.seconds_to_first_ack'), 1e6) AS acknowledged_at,
    coalesce(cell(record, '$.resolved_on'), cell(record, '$.resolved_at'),
        time_after(created_on, cell(record, '$.seconds_to_resolve'), 1e6)) AS resolved_at,
    cell(record, '$.service_name') AS service,
    cell(record, '$.team_name') AS team,
    CASE WHEN lower(cell(record, '$.auto_resolved')) IN ('true', 't', '1') THEN 'integration' END AS resolution_kind
FROM read
