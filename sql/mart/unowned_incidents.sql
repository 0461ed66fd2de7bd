/*
description = """The queue of incidents without an owner: without a service or a team, and open, or begun in the last 30 days. Open ones come first, then
the most severe, then those that have waited longest."""
published = true
like = "core.incidents"
not_null = ["incident_id", "source", "external_id", "severity", "status", "started_at", "is_open", "age_days", "lacks"]
unique = [["incident_id"]]

[assert]
something_is_missing = "service IS NULL OR team IS NULL"

[columns]
incident_id = "="
source = "="
external_id = "="
key = "="
title = "="
url = "="
severity = "="
status = "="
service = "="
team = "="
lacks = "what is missing: service, team or both"
is_open = "whether it is still open"
started_at = "="
age_days = "days from started_at to as_of"
*/
SELECT
    i.incident_id,
    i.source,
    i.external_id,
    i.key,
    i.title,
    i.url,
    i.severity,
    i.status,
    i.service,
    i.team,
    CASE WHEN i.service IS NOT NULL THEN 'team' WHEN i.team IS NOT NULL THEN 'service' ELSE 'both' END AS lacks,
    NOT status_is_over(i.status) AS is_open,
    i.started_at,
    (epoch_us(run.as_of) - epoch_us(i.started_at)) / 8.64e10 AS age_days
FROM core.incidents AS i
CROSS JOIN config.run AS run
WHERE i.is_counted AND (i.service IS NULL OR i.team IS NULL)
    AND (NOT status_is_over(i.status) OR epoch_us(i.started_at) >= epoch_us(run.as_of) - 2592000000000)
ORDER BY is_open DESC, i.severity, i.started_at, i.incident_id
