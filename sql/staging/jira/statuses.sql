/*
description = """What each status that occurs in an issue or its history means: what the vocabulary says (the macros line_fits and
line_rank say which line applies), else the status category."""
unique = [["project_key", "status_id", "name"]]

[columns]
project_key = "project"
status_id = "id of the status; empty where the history names none"
name = "name as it was then"
category = "status category: new, indeterminate or done; NULL when the site does not know the status any more"
event_type = "what entering it means; other when nothing says it"
mapped_by = "project, site, beginning (by the first words of the name) or category; NULL when nothing says it"
is_done = "whether an issue in it is over"
is_started = "whether somebody works on an issue in it"
*/
WITH changes AS (
    SELECT project_key, from_id, from_name, to_id, to_name FROM staging.${source}_changes WHERE field = 'status'
),
seen AS (
    SELECT project_key, from_id AS status_id, from_name AS name FROM changes
    UNION ALL SELECT project_key, to_id, to_name FROM changes
    UNION ALL SELECT project_key, status_id, status FROM staging.${source}_issues
),
statuses AS (
    SELECT DISTINCT coalesce(project_key, '') AS project_key, coalesce(status_id, '') AS status_id, coalesce(name, '') AS name
    FROM seen
),
known AS (
    SELECT external_id AS status_id, lower(trim(name)) AS name, category, 1 AS rank FROM raw.${source}_statuses
    UNION ALL SELECT DISTINCT status_id, lower(trim(status)), status_category, 2 FROM staging.${source}_issues
),
by_id AS (
    SELECT status_id, arg_min(category, rank) AS category FROM known WHERE category IS NOT NULL GROUP BY status_id
),
by_name AS (
    SELECT name, max(category) AS category FROM known GROUP BY name HAVING count(DISTINCT category) = 1
),
mapped AS (
    SELECT s.project_key, s.name, arg_max(w.event_type, line_rank(w.scope, w.is_prefix, w.word)) AS event_type,
        arg_max(CASE WHEN w.is_prefix THEN 'beginning' WHEN w.scope <> '' THEN 'project' ELSE 'site' END,
            line_rank(w.scope, w.is_prefix, w.word)) AS mapped_by
    FROM (SELECT DISTINCT project_key, name, normalized(project_key) AS scope, normalized(name) AS normal FROM statuses) AS s
    JOIN config.statuses AS w
        ON w.source = '${source}' AND w.scope IN ('', s.scope) AND line_fits(w.word, w.is_prefix, s.normal)
    GROUP BY s.project_key, s.name
),
judged AS (
    SELECT
        s.*,
        coalesce(by_id.category, by_name.category) AS category,
        coalesce(
            mapped.event_type,
            CASE coalesce(by_id.category, by_name.category)
                WHEN 'new' THEN 'detected' WHEN 'indeterminate' THEN 'investigating' WHEN 'done' THEN 'resolved' END,
            'other'
        ) AS event_type,
        coalesce(
            mapped.mapped_by,
            CASE WHEN coalesce(by_id.category, by_name.category) IN ('new', 'indeterminate', 'done') THEN 'category' END
        ) AS mapped_by
    FROM statuses AS s
    LEFT JOIN by_id ON by_id.status_id = s.status_id
    LEFT JOIN by_name ON by_name.name = lower(trim(s.name))
    LEFT JOIN mapped ON mapped.project_key = s.project_key AND mapped.name = s.name
)
SELECT
    project_key, status_id, name, category, event_type, mapped_by,
    event_type IN ('resolved', 'closed') AS is_done,
    CASE WHEN category IS NULL
        THEN event_type IN ('acknowledged', 'investigating', 'root_cause_found', 'mitigated')
        ELSE category = 'indeterminate' END AS is_started
FROM judged
