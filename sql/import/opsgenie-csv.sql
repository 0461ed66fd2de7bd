/*
description = """Alerts as the alert list of Opsgenie exports them to CSV. The export has no time of the acknowledgement and none of the
close: an alert that is closed is over at an unknown time and has no duration. The API has both times: pull it, or use the preset
opsgenie-alerts."""
form = "table"
needs = ["alert_id|alertid", "createdat|createdatdate|created_at"]

[columns]
external_id = "Alert ID"
title = "Message"
severity = "Priority, P1 to P5"
status = "closed is resolved; an open alert is acknowledged where Acknowledged is true, else detected"
detected_at = "CreatedAt"
service = "Entity"
team = "first of Teams"
tags = "Tags"
updated_at = "UpdatedAt"
*/
WITH read AS (
    SELECT
        line, record,
        lower(cell(record, '$.status')) AS status,
        epoch_time(coalesce(cell(record, '$.createdat'), cell(record, '$.createdatdate'), cell(record, '$.created_at'))) AS created_at,
        epoch_time(coalesce(cell(record, '$.updatedat'), cell(record, '$.updatedatdate'), cell(record, '$.updated_at'))) AS updated_at
    FROM given
)
SELECT
    line,
    coalesce(cell(record, '$.alert_id'), cell(record, '$.alertid')) AS external_id,
    cell(record, '$.message') AS title,
    cell(record, '$.priority') AS severity,
    CASE WHEN status = 'closed' THEN 'resolved' WHEN lower(cell(record, '$.acknowledged')) = 'true' THEN 'acknowledged'
        WHEN status = 'open' THEN 'detected' ELSE status END AS status,
    created_at AS detected_at,
    cell(record, '$.entity') AS service,
    cells(record, '$.teams', ',')[1] AS team,
    cells(record, '$.tags', ',') AS tags,
    updated_at
FROM read
