/*
description = """What was learned from counted incidents: one row per incident and post-mortem or follow-up action. Every incident of SEV1 and SEV2 that
was resolved has exactly one row of kind post_mortem, with a post-mortem or without one; of several the one that was completed first. It is
due five weekdays after the resolve, at the same time of day in the reporting time zone. What is made or completed after as_of is not
known yet. One that names a record with several episodes is about the last episode that had begun when it was made."""
like = "staging.follow_ups"
not_null = ["incident_no", "incident_id", "kind", "is_wanted", "is_due"]

[assert]
known_kind = "kind IN ('post_mortem', 'action')"
wanted_ones_are_due = "NOT is_wanted OR (kind = 'post_mortem' AND due_at IS NOT NULL)"
actions_exist = "kind = 'post_mortem' OR external_id IS NOT NULL"
late_is_not_in_time = "NOT is_due OR completed_at IS NOT NULL OR NOT on_time"

[columns]
incident_no = "rowid of the incident in core.incidents"
incident_id = "the incident"
kind = "="
is_wanted = "whether it is the post-mortem that the incident needs: SEV1 or SEV2, and resolved"
source = "the account; NULL where there is no post-mortem"
external_id = "the vendor's immutable id; NULL where there is no post-mortem"
key = "="
title = "="
url = "="
status = "="
created_at = "="
due_at = "when it is due: of a post-mortem five weekdays after the resolve, NULL where none is needed; of an action what its field says. UTC"
completed_at = "="
on_time = "completed by then; NULL while it is not due, and where nothing says when it is due"
is_due = "due before as_of"
is_test = "="
resolved_at = "resolve of the incident. UTC"
*/
WITH told AS (
    SELECT
        i.rowid AS incident_no, f.source, f.external_id, f.kind, f.key, without_addresses(f.title) AS title, web_link(f.url) AS url, f.status,
        f.created_at, f.due_at, coalesce(f.is_test, false) AS is_test,
        CASE WHEN f.completed_at <= run.as_of THEN f.completed_at END AS completed_at
    FROM staging.follow_ups AS f
    CROSS JOIN config.run AS run
    JOIN core.incident_sources AS l ON l.source = f.incident_source AND l.external_id = f.incident_id
    JOIN core.incidents AS i ON i.incident_id = l.incident_id
    WHERE i.is_counted AND coalesce(f.created_at <= run.as_of, true)
    QUALIFY row_number() OVER (
        PARTITION BY f.source, f.external_id, f.kind, f.incident_source, f.incident_id
        ORDER BY coalesce(epoch_us(i.started_at) <= epoch_us(f.created_at), false) DESC,
            CASE WHEN epoch_us(i.started_at) <= epoch_us(f.created_at) THEN -epoch_us(i.started_at) ELSE epoch_us(i.started_at) END, l.episode
    ) = 1
),
-- An incident with a page and a ticket may be named by both.
once AS (
    SELECT * FROM told QUALIFY row_number() OVER (PARTITION BY incident_no, kind, source, external_id ORDER BY key) = 1
),
post_mortems AS (
    SELECT *
    FROM once
    WHERE kind = 'post_mortem'
    QUALIFY row_number() OVER (PARTITION BY incident_no ORDER BY completed_at NULLS LAST, created_at NULLS LAST, source, external_id) = 1
),
needed AS (
    SELECT
        i.rowid AS incident_no,
        utc_of(five_weekdays_after(local_of(make_timestamp(epoch_us(i.resolved_at)), run.reporting_time_zone)), run.reporting_time_zone) AS due_at
    FROM core.incidents AS i
    CROSS JOIN config.run AS run
    WHERE i.is_counted AND i.severity IN ('SEV1', 'SEV2') AND i.resolved_at IS NOT NULL
),
everything AS (
    SELECT coalesce(n.incident_no, p.incident_no) AS incident_no, 'post_mortem' AS kind, n.incident_no IS NOT NULL AS is_wanted,
        n.due_at, p.* EXCLUDE (incident_no, kind, due_at)
    FROM needed AS n
    FULL JOIN post_mortems AS p ON p.incident_no = n.incident_no
    UNION ALL BY NAME
    SELECT *, false AS is_wanted FROM once WHERE kind = 'action'
)
SELECT
    e.incident_no,
    i.incident_id,
    e.kind,
    e.is_wanted,
    e.source,
    e.external_id,
    e.key,
    e.title,
    e.url,
    e.status,
    e.created_at,
    e.due_at,
    e.completed_at,
    CASE
        WHEN e.completed_at IS NOT NULL THEN e.completed_at <= e.due_at
        WHEN e.due_at < run.as_of THEN false
    END AS on_time,
    coalesce(e.due_at < run.as_of, false) AS is_due,
    e.is_test,
    i.resolved_at
FROM everything AS e
CROSS JOIN config.run AS run
JOIN core.incidents AS i ON i.rowid = e.incident_no
