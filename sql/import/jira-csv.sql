/*
description = """Issues as the issue navigator of Jira exports them to CSV. Times have no offset there: set `time_zone` in
`[sources.custom]`. Times like 01/Oct/26 8:05 AM, 2026-10-01 08:05 and 01.10.2026 08:05 are read; for any other, write a preset of
your own with `time_format`. The export has no history, so it has no acknowledgement and no reopen."""
form = "table"
needs = ["issue_key", "created"]

[columns]
external_id = "Issue key"
title = "Summary"
severity = "Custom field (Severity), else Priority: Highest or Blocker is SEV1, High or Critical SEV2, Medium or Major SEV3, lower ones SEV4"
status = "Status"
kind = "false_alarm where the resolution says that nothing was done, such as Won't Do or Cannot Reproduce"
occurred_at = "Custom field (Incident start) or (Impact start)"
detected_at = "Created"
resolved_at = "Resolved"
service = "first of Custom field (Affected services), else the first component"
team = "Custom field (Team)"
tags = "all columns Labels"
duplicate_of = "Outward issue link (Duplicate) of an issue that is resolved as a duplicate"
updated_at = "Updated"
*/
WITH read AS (
    SELECT
        line, record,
        lower(cell(record, '$.resolution')) AS resolution,
        coalesce(cell(record, '$.custom_field_severity'), cell(record, '$.priority')) AS severity
    FROM given
)
SELECT
    line,
    cell(record, '$.issue_key') AS external_id,
    cell(record, '$.summary') AS title,
    CASE
        WHEN lower(severity) IN ('highest', 'blocker') THEN 'SEV1'
        WHEN lower(severity) IN ('high', 'critical') THEN 'SEV2'
        WHEN lower(severity) IN ('medium', 'major') THEN 'SEV3'
        WHEN lower(severity) IN ('low', 'lowest', 'minor', 'trivial') THEN 'SEV4'
        ELSE severity
    END AS severity,
    cell(record, '$.status') AS status,
    CASE WHEN replace(resolution, '’', '''') IN ('won''t do', 'won''t fix', 'wont fix', 'cannot reproduce', 'declined', 'cancelled',
        'canceled', 'not a bug', 'invalid', 'incomplete') THEN 'false_alarm' END AS kind,
    local_time(coalesce(cell(record, '$.custom_field_incident_start'), cell(record, '$.custom_field_impact_start')),
        ['%d/%b/%y %I:%M %p', '%d/%b/%Y %I:%M %p', '%d.%m.%Y %H:%M', '%d.%m.%y %H:%M']) AS occurred_at,
    local_time(cell(record, '$.created'),
        ['%d/%b/%y %I:%M %p', '%d/%b/%Y %I:%M %p', '%d.%m.%Y %H:%M', '%d.%m.%y %H:%M']) AS detected_at,
    local_time(cell(record, '$.resolved'),
        ['%d/%b/%y %I:%M %p', '%d/%b/%Y %I:%M %p', '%d.%m.%Y %H:%M', '%d.%m.%y %H:%M']) AS resolved_at,
    coalesce(cell(record, '$.custom_field_affected_services'), cell(record, '$.component_s'), cell(record, '$.components'))
        AS service,
    cell(record, '$.custom_field_team') AS team,
    cells(record, '$.labels', ' ') AS tags,
    CASE WHEN resolution = 'duplicate' THEN cell(record, '$.outward_issue_link_duplicate') END AS duplicate_of,
    local_time(cell(record, '$.updated'),
        ['%d/%b/%y %I:%M %p', '%d/%b/%Y %I:%M %p', '%d.%m.%Y %H:%M', '%d.%m.%y %H:%M']) AS updated_at
FROM read
