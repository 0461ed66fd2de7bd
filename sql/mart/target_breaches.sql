/*
description = """Every incident that missed its target, worst first: resolved late, or still open and older than the target. The
whole history; started_at tells which window a breach belongs to."""
published = true
not_null = ["incident_id", "severity", "service", "team", "target_minutes", "actual_minutes", "over_minutes", "is_open", "started_at"]
unique = [["incident_id"]]

[assert]
over_is_positive = "over_minutes > 0"

[columns]
incident_id = "incident"
source = "source"
external_id = "the vendor's immutable id"
key = "the id shown to people"
url = "page at the vendor"
title = "title"
severity = "SEV1..SEV4"
service = "service, unknown when there is none"
team = "team, unknown when there is none"
status = "status of the incident"
target_minutes = "its target: that of its service for its severity, else that of its severity"
actual_minutes = "detected to resolved, or the age at as_of while open"
over_minutes = "actual - target; the list is sorted by it"
times_target = "actual / target"
is_open = "whether it is still open"
started_at = "instant that decides the window. UTC"
resolved_at = "UTC; NULL while open"
*/
SELECT
    i.incident_id,
    i.source,
    i.external_id,
    i.key,
    i.url,
    i.title,
    i.severity,
    coalesce(i.service, 'unknown') AS service,
    coalesce(i.team, 'unknown') AS team,
    i.status,
    o.target_minutes,
    o.actual_us / 6e7 AS actual_minutes,
    (o.actual_us - o.target_us) / 6e7 AS over_minutes,
    o.actual_us / o.target_us::DOUBLE AS times_target,
    o.outcome = 'open_breached' AS is_open,
    make_timestamptz(o.started_us) AS started_at,
    i.resolved_at
FROM figures.target_outcomes AS o
JOIN core.incidents AS i ON i.rowid = o.incident_no
WHERE o.outcome IN ('late', 'open_breached')
ORDER BY o.actual_us - o.target_us DESC, i.severity, o.started_us, i.incident_id
