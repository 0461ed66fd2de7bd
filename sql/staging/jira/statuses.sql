/*
description = """What each status that occurs in an issue or its history means: what is mapped for the project, else for all, else
words that the name begins with, else the status category."""
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
-- Words that stand for every name that begins so: the longest one, that of the project first.
begins AS (
    SELECT s.project_key, s.name, arg_max(w.event_type, (w.scope <> '', length(w.word))) AS event_type
    FROM statuses AS s
    JOIN config.statuses AS w ON w.source = '${source}' AND w.is_prefix AND starts_with(normalized(s.name), w.word)
    WHERE w.scope IN ('', normalized(s.project_key))
    GROUP BY s.project_key, s.name
),
judged AS (
    SELECT
        s.*,
        coalesce(by_id.category, by_name.category) AS category,
        coalesce(
            in_project.event_type, in_site.event_type, begins.event_type,
            CASE coalesce(by_id.category, by_name.category)
                WHEN 'new' THEN 'detected' WHEN 'indeterminate' THEN 'investigating' WHEN 'done' THEN 'resolved' END,
            'other'
        ) AS event_type,
        CASE
            WHEN in_project.event_type IS NOT NULL THEN 'project'
            WHEN in_site.event_type IS NOT NULL THEN 'site'
            WHEN begins.event_type IS NOT NULL THEN 'beginning'
            WHEN coalesce(by_id.category, by_name.category) IN ('new', 'indeterminate', 'done') THEN 'category'
        END AS mapped_by
    FROM statuses AS s
    LEFT JOIN by_id ON by_id.status_id = s.status_id
    LEFT JOIN by_name ON by_name.name = lower(trim(s.name))
    LEFT JOIN config.statuses AS in_project
        ON in_project.source = '${source}' AND in_project.scope <> '' AND NOT in_project.is_prefix
        AND in_project.scope = normalized(s.project_key) AND in_project.word = normalized(s.name)
    LEFT JOIN config.statuses AS in_site
        ON in_site.source = '${source}' AND in_site.scope = '' AND NOT in_site.is_prefix AND in_site.word = normalized(s.name)
    LEFT JOIN begins ON begins.project_key = s.project_key AND begins.name = s.name
)
SELECT
    project_key, status_id, name, category, event_type, mapped_by,
    event_type IN ('resolved', 'closed') AS is_done,
    CASE WHEN category IS NULL
        THEN event_type IN ('acknowledged', 'investigating', 'root_cause_found', 'mitigated')
        ELSE category = 'indeterminate' END AS is_started
FROM judged
