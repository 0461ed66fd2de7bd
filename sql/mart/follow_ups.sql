/*
description = """What was learned from incidents: one row per incident and post-mortem or follow-up action. Every incident of SEV1 and SEV2 that was resolved
has exactly one row of kind post_mortem, whose external_id is NULL where there is none. The table learning has the shares."""
published = true
like = "core.follow_ups"
not_null = ["incident_id", "kind", "is_wanted", "is_due"]
unique = [["incident_id", "kind", "source", "external_id"]]

[assert]
never_open_and_completed = "(age_days IS NULL) = (completed_at IS NOT NULL OR created_at IS NULL)"

[columns]
incident_id = "="
kind = "="
is_wanted = "="
source = "="
external_id = "="
key = "="
title = "="
url = "="
status = "="
severity = "severity of the incident"
service = "service of the incident; NULL when unknown"
team = "team of the incident; NULL when unknown"
resolved_at = "="
created_at = "="
due_at = "="
completed_at = "="
on_time = "="
is_due = "="
days = "days from the resolve of the incident to the completion; NULL without one of them, and where they decrease"
age_days = "days from its creation to as_of of one that is not completed; NULL for the others"
is_test = "="
*/
SELECT
    f.incident_id,
    f.kind,
    f.is_wanted,
    f.source,
    f.external_id,
    f.key,
    f.title,
    f.url,
    f.status,
    i.severity,
    i.service,
    i.team,
    f.resolved_at,
    make_timestamptz(epoch_us(f.created_at)) AS created_at,
    make_timestamptz(epoch_us(f.due_at)) AS due_at,
    make_timestamptz(epoch_us(f.completed_at)) AS completed_at,
    f.on_time,
    f.is_due,
    CASE WHEN epoch_us(f.completed_at) >= epoch_us(f.resolved_at) THEN (epoch_us(f.completed_at) - epoch_us(f.resolved_at)) / 8.64e10 END AS days,
    CASE WHEN f.completed_at IS NULL THEN (epoch_us(run.as_of) - epoch_us(f.created_at)) / 8.64e10 END AS age_days,
    f.is_test
FROM core.follow_ups AS f
CROSS JOIN config.run AS run
JOIN core.incidents AS i ON i.rowid = f.incident_no
ORDER BY f.incident_id, f.kind, f.source, f.external_id
