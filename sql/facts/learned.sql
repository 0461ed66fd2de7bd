/*
description = """Every incident that counts, with what was learned from it, as numbers: who noticed it, who owns it, whether it was noise, what it
cost those on call, and whether it came back."""
like = "core.origins"
not_null = ["incident_no", "severity_id", "service_id", "team_id", "started_us", "detected_by", "has_service", "has_team", "is_noise", "pages", "night_pages", "has_key", "is_observed", "recurs"]
unique = [["incident_no"]]

[columns]
incident_no = "="
severity_id = "member_id of its severity in core.scope_members"
service_id = "member_id of its service"
team_id = "member_id of its team"
window_id = "the current or the previous window of core.windows that it began in; NULL for neither"
started_us = "instant that decides the window, in microseconds since 1970"
detected_by = "="
detection_us = "microseconds from occurred_at to detected_at; NULL without one of them, and where they decrease"
has_service = "whether a service is known"
has_team = "whether a team is known"
assignment_us = "microseconds from detected_at to the first assignment; NULL without one of them, and where they decrease"
is_noise = "it resolved automatically and nobody acknowledged it"
rule_source = "="
alert_rule = "="
pages = "pages that its records made"
night_pages = "those at night"
has_key = "whether a deduplication key or a root cause tells whether it came back"
is_observed = "whether it began at least 30 days before as_of"
recurs = "whether an incident with one of its keys began within 30 days after it"
*/
WITH paged AS (
    SELECT i.rowid AS incident_no, count(*) AS pages, count(CASE WHEN p.is_night THEN 1 END) AS night_pages
    FROM core.pages AS p JOIN core.incidents AS i ON i.incident_id = p.incident_id
    GROUP BY i.rowid
),
repeated AS (
    SELECT incident_no, bool_or(kind <> 'episode') AS has_key, coalesce(bool_or(next_us - started_us <= 2592000000000), false) AS recurs
    FROM core.repeats
    GROUP BY incident_no
)
SELECT
    m.incident_no,
    m.severity_id,
    m.service_id,
    m.team_id,
    w.window_id,
    m.started_us,
    coalesce(o.detected_by, 'unknown') AS detected_by,
    CASE WHEN m.detected_us >= m.occurred_us THEN m.detected_us - m.occurred_us END AS detection_us,
    i.service IS NOT NULL AS has_service,
    i.team IS NOT NULL AS has_team,
    CASE WHEN a.assigned_us >= m.detected_us THEN a.assigned_us - m.detected_us END AS assignment_us,
    m.is_noise,
    o.rule_source,
    o.alert_rule,
    coalesce(p.pages, 0) AS pages,
    coalesce(p.night_pages, 0) AS night_pages,
    -- That a record was reopened late is known of those alone that came back: it may not decide who is asked.
    coalesce(r.has_key, false) AS has_key,
    m.started_us + 2592000000000 <= epoch_us(run.as_of) AS is_observed,
    coalesce(r.recurs, false) AS recurs
FROM facts.matched AS m
CROSS JOIN config.run AS run
JOIN core.incidents AS i ON i.rowid = m.incident_no
LEFT JOIN core.origins AS o ON o.incident_no = m.incident_no
-- The last two windows do not overlap.
LEFT JOIN core.windows AS w ON w.name <> 'whole' AND m.started_us >= epoch_us(w.window_start) AND m.started_us < epoch_us(w.window_end)
LEFT JOIN core.assignments AS a ON a.incident_no = m.incident_no
LEFT JOIN paged AS p ON p.incident_no = m.incident_no
LEFT JOIN repeated AS r ON r.incident_no = m.incident_no
