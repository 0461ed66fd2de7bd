/*
description = """The table incident as a ServiceNow list exports it to CSV, with the names or the labels of the columns. Times have no offset
there and are those of the user who exported: set `time_zone` in `[sources.custom]`. Times like 2026-10-01 08:05:00 and
01.10.2026 08:05:00 are read; for any other, write a preset of your own with `time_format`."""
form = "table"
needs = ["number", "opened_at|opened"]

[columns]
external_id = "number"
title = "short_description"
severity = "priority: 1 is SEV1, 2 SEV2, 3 SEV3, 4 and 5 SEV4"
status = "state or incident_state: New is detected, In Progress investigating, Resolved resolved, Closed closed"
kind = "false_alarm for the state Canceled"
detected_at = "opened_at"
resolved_at = "resolved_at"
closed_at = "closed_at"
service = "business_service, else cmdb_ci"
team = "assignment_group"
tags = "category, subcategory and contact_type"
updated_at = "sys_updated_on"
*/
WITH read AS (
    SELECT
        line, record,
        lower(coalesce(cell(record, '$.priority'), '')) AS priority,
        lower(coalesce(cell(record, '$.state'), cell(record, '$.incident_state'))) AS state
    FROM given
)
SELECT
    line,
    cell(record, '$.number') AS external_id,
    cell(record, '$.short_description') AS title,
    CASE
        WHEN regexp_full_match(priority, '1( .*)?|critical') THEN 'SEV1'
        WHEN regexp_full_match(priority, '2( .*)?|high') THEN 'SEV2'
        WHEN regexp_full_match(priority, '3( .*)?|moderate|medium') THEN 'SEV3'
        WHEN regexp_full_match(priority, '[45]( .*)?|low|planning') THEN 'SEV4'
        ELSE cell(record, '$.priority')
    END AS severity,
    CASE
        WHEN state IN ('1', 'new') THEN 'detected'
        WHEN state IN ('2', 'in progress', 'active', 'work in progress') THEN 'investigating'
        WHEN state IN ('6', 'resolved') THEN 'resolved'
        WHEN state IN ('7', 'closed') THEN 'closed'
        ELSE coalesce(cell(record, '$.state'), cell(record, '$.incident_state'))
    END AS status,
    CASE WHEN state IN ('8', 'canceled', 'cancelled') THEN 'false_alarm' END AS kind,
    local_time(coalesce(cell(record, '$.opened_at'), cell(record, '$.opened')), ['%d.%m.%Y %H:%M:%S', '%d.%m.%Y %H:%M'])
        AS detected_at,
    local_time(coalesce(cell(record, '$.resolved_at'), cell(record, '$.resolved')), ['%d.%m.%Y %H:%M:%S', '%d.%m.%Y %H:%M'])
        AS resolved_at,
    local_time(coalesce(cell(record, '$.closed_at'), cell(record, '$.closed')), ['%d.%m.%Y %H:%M:%S', '%d.%m.%Y %H:%M'])
        AS closed_at,
    coalesce(cell(record, '$.business_service'), cell(record, '$.service'), cell(record, '$.cmdb_ci'),
        cell(record, '$.configuration_item')) AS service,
    cell(record, '$.assignment_group') AS team,
    list_filter([cell(record, '$.category'), cell(record, '$.subcategory'),
        coalesce(cell(record, '$.contact_type'), cell(record, '$.channel'))], lambda t: t IS NOT NULL) AS tags,
    local_time(coalesce(cell(record, '$.sys_updated_on'), cell(record, '$.updated')), ['%d.%m.%Y %H:%M:%S', '%d.%m.%Y %H:%M'])
        AS updated_at
FROM read
