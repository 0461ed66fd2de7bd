/*
description = """Which incidents took a service down in the last 30 and the last 90 days: per service and window the ten with the most weighted downtime. Where incidents overlap, a
minute belongs to the one with the largest weight, and of equal weights to the one that began first. So all incidents of a service add up
to its row in downtime."""
published = true
like = "core.incidents"
not_null = ["service", "window_start", "window_end", "place", "incident_id", "severity", "weighted_downtime_minutes", "is_abandoned"]
unique = [["service", "window_start", "place"]]

[assert]
something_is_down = "weighted_downtime_minutes > 0"

[columns]
service = "service; `unknown` where an incident has none"
window_start = "first instant of the window. UTC"
window_end = "first instant after the window. UTC"
place = "1 for the most weighted downtime of the service in the window"
incident_id = "incident"
source = "="
external_id = "="
key = "="
title = "="
url = "="
severity = "SEV1 to SEV4"
started_at = "="
weighted_downtime_minutes = "minutes inside the window that belong to the incident, times its weight; of an abandoned one, what it adds to the others"
error_budget_used_pct = "100 * weighted downtime / error budget of the service; NULL without an availability target"
is_abandoned = "the incident is abandoned: not part of availability_pct, but of availability_with_abandoned_pct"
*/
WITH windows AS (
    SELECT epoch_us(window_start) AS window_start_us, epoch_us(window_end) AS window_end_us
    FROM core.target_windows
    WHERE window_start IS NOT NULL
),
by_incident AS (
    SELECT s.member_id, s.incident_no, s.is_abandoned, w.window_start_us, w.window_end_us,
        sum((least(s.end_us, w.window_end_us) - greatest(s.start_us, w.window_start_us)) * s.weight)::BIGINT AS weighted
    FROM figures.downtime_spans AS s
    JOIN windows AS w ON s.start_us < w.window_end_us AND s.end_us > w.window_start_us
    WHERE s.member_id > 0
    GROUP BY ALL
),
placed AS (
    SELECT *, row_number() OVER (
        PARTITION BY member_id, window_start_us ORDER BY weighted DESC, is_abandoned, incident_no) AS place
    FROM by_incident
    QUALIFY place <= 10
)
SELECT
    member.scope_value AS service,
    make_timestamptz(p.window_start_us) AS window_start,
    make_timestamptz(p.window_end_us) AS window_end,
    p.place,
    i.incident_id,
    i.source,
    i.external_id,
    i.key,
    i.title,
    i.url,
    i.severity,
    i.started_at,
    p.weighted / 6e10 AS weighted_downtime_minutes,
    100 * (p.weighted / 6e10 / d.error_budget_minutes) AS error_budget_used_pct,
    p.is_abandoned
FROM placed AS p
JOIN core.scope_members AS member ON member.member_id = p.member_id
JOIN core.incidents AS i ON i.rowid = p.incident_no
JOIN mart.downtime AS d ON d.scope = 'service' AND d.scope_value = member.scope_value
    AND epoch_us(d.window_start) = p.window_start_us
ORDER BY service, p.window_start_us, p.place
