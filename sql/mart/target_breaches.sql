/*
description = """Every incident that missed its target, the worst first: resolved late, or still open and older than the target. The list
covers the whole history; started_at decides which window a breach belongs to."""
published = true
like = "core.incidents"
not_null = ["incident_id", "severity", "service", "team", "target_minutes", "actual_minutes", "over_minutes", "is_open", "started_at"]
unique = [["incident_id"]]

[assert]
over_is_positive = "over_minutes > 0"

[columns]
incident_id = "incident"
source = "="
external_id = "="
key = "="
url = "="
title = "="
severity = "SEV1 to SEV4"
service = "service; `unknown` where the incident has none"
team = "team; `unknown` where the incident has none"
status = "="
target_minutes = "target of the incident: that of its service for its severity, else that of its severity"
actual_minutes = "minutes from detected to resolved, or the age at as_of while open"
over_minutes = "actual - target; the list is sorted by it"
times_target = "actual / target"
is_open = "whether the incident is still open"
started_at = "="
resolved_at = "="
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
