/*
description = """Post-mortems and follow-up actions of Jira. A post-mortem is about every ticket of an incident that an issue link ties to it, whatever
the type of the link. An action is an issue that a post-mortem or a ticket names by a link of a configured type; it is about the incidents of
that post-mortem, or that of the ticket. One that was declined, or repeats another one, is left out. A due date ends with its day in the
reporting time zone."""
like = "staging.follow_ups"
yields = "follow_ups"
not_null = ["source", "external_id", "kind"]
unique = [["external_id", "incident_id"]]

[columns]
source = "the account"
external_id = "numeric id of the issue"
kind = "="
incident_source = "the account"
incident_id = "numeric id of the ticket"
key = "issue key"
title = "="
url = "page of the issue"
created_at = "="
due_at = "="
completed_at = "resolutiondate, else the last change of the status category where that is done, else the last move to a status that is done"
status = "="
is_test = "whether a label or a mapped field says so"
landed_in = "="
*/
WITH read AS (
    SELECT 'post_mortem' AS kind, * FROM raw.${source}_post_mortems
    UNION ALL BY NAME
    SELECT 'action' AS kind, a.* FROM raw.${source}_actions AS a ANTI JOIN raw.${source}_post_mortems AS p ON p.external_id = a.external_id
),
-- Whatever a query selects, an incident is neither, and nothing that was declined.
wanted AS (
    SELECT r.*
    FROM read AS r
    ANTI JOIN staging.${source}_issues AS i ON i.external_id = r.external_id
    LEFT JOIN config.resolutions AS resolution ON resolution.source = '${source}' AND resolution.word = normalized(r.resolution)
    WHERE coalesce(resolution.meaning, 'incident') = 'incident'
),
moves AS (
    SELECT w.external_id, w.kind, any_instant(m.created, zone) AS happened_at, s.category
    FROM (SELECT external_id, kind, unnest(histories) AS h FROM wanted) AS w,
        LATERAL (SELECT w.h.created AS created, unnest(w.h.items) AS item) AS m
    CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
    LEFT JOIN raw.${source}_statuses AS s ON s.external_id = m.item."to"
    WHERE coalesce(m.item.fieldId, m.item.field) = 'status'
),
done AS (
    SELECT external_id, max(happened_at) FILTER (category = 'done') AS happened_at FROM moves GROUP BY external_id
),
tested AS (
    SELECT DISTINCT w.external_id
    FROM (SELECT external_id, unnest(map_entries(fields)) AS field FROM wanted) AS w
    JOIN staging.${source}_field_map AS map ON map.field_id = w.field.key AND map.target = 'test_added'
    WHERE lower(json_text(w.field.value)) NOT IN ('false', 'no', 'none', '0')
),
-- Links stand at both ends; one end may have been read before the link was made.
linked AS (
    SELECT external_id AS one, coalesce(link.outwardIssue.id, link.inwardIssue.id) AS other, normalized(link.type.name) AS word
    FROM (
        SELECT external_id, unnest(links) AS link FROM wanted
        UNION ALL
        SELECT external_id, unnest(links) FROM staging.${source}_issues
    )
),
pairs AS (
    SELECT one, other, word FROM linked
    UNION
    SELECT other, one, word FROM linked
),
about AS (
    SELECT DISTINCT p.external_id, i.external_id AS incident_id
    FROM wanted AS p
    JOIN pairs AS l ON l.one = p.external_id
    JOIN staging.${source}_issues AS i ON i.external_id = l.other
    WHERE p.kind = 'post_mortem' AND l.word <> 'duplicate'
),
named AS (
    SELECT a.external_id, about.incident_id
    FROM wanted AS a
    JOIN pairs AS l ON l.one = a.external_id
    JOIN config.source_settings AS allowed ON allowed.source = '${source}' AND allowed.setting = 'post_mortem_action_link' AND allowed.key = l.word
    JOIN wanted AS p ON p.external_id = l.other AND p.kind = 'post_mortem'
    LEFT JOIN about ON about.external_id = p.external_id
    WHERE a.kind = 'action'
    UNION
    SELECT a.external_id, i.external_id
    FROM wanted AS a
    JOIN pairs AS l ON l.one = a.external_id
    JOIN config.source_settings AS allowed ON allowed.source = '${source}' AND allowed.setting = 'incident_action_link' AND allowed.key = l.word
    JOIN staging.${source}_issues AS i ON i.external_id = l.other
    WHERE a.kind = 'action'
),
-- An action that nothing names any more is none. One of a post-mortem without an incident stays, without one.
placed AS (
    SELECT w.*, about.incident_id FROM wanted AS w LEFT JOIN about ON about.external_id = w.external_id WHERE w.kind = 'post_mortem'
    UNION ALL BY NAME
    SELECT w.*, n.incident_id
    FROM wanted AS w
    JOIN (
        SELECT * FROM named QUALIFY incident_id IS NOT NULL OR count(incident_id) OVER (PARTITION BY external_id) = 0
    ) AS n ON n.external_id = w.external_id
)
SELECT
    '${source}' AS source,
    p.external_id,
    p.kind,
    CASE WHEN p.incident_id IS NOT NULL THEN '${source}' END AS incident_source,
    p.incident_id,
    p.key,
    p.title,
    coalesce(
        (SELECT web_url FROM config.sources WHERE source = '${source}'),
        CASE WHEN NOT starts_with(p.site_url, 'https://api.atlassian.com/') THEN p.site_url END
    ) || '/browse/' || p.key AS url,
    p.created_at,
    utc_of(try_cast(p.fields['duedate'] ->> '$' AS DATE)::TIMESTAMP + INTERVAL 1 DAY, run.reporting_time_zone) AS due_at,
    CASE WHEN p.status_category = 'done' THEN coalesce(p.resolution_at, p.status_category_changed_at, done.happened_at) END AS completed_at,
    p.status,
    coalesce(list_has_any(list_transform(p.labels, lambda l: normalized(l)), labels.words), false) OR tested.external_id IS NOT NULL AS is_test,
    p.landed_in
FROM placed AS p
CROSS JOIN config.run AS run
CROSS JOIN (SELECT coalesce(list(key), []) AS words FROM config.source_settings WHERE source = '${source}' AND setting = 'test_label') AS labels
LEFT JOIN done ON done.external_id = p.external_id
LEFT JOIN tested ON tested.external_id = p.external_id
