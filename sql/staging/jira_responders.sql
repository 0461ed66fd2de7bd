/*
description = """Responders of Jira issues: the elements of the fields mapped to `responders` (by default the field of that name, which
Jira Service Management fills on incidents). An element is a user, a team (`type` or the resource name says so), or just a
resource name."""
not_null = ["external_id", "responder"]
unique = [["external_id", "responder"]]

[columns]
external_id = "numeric id of the issue"
responder = "name, else id"
kind = "team or user; NULL when nothing says it"
place = "position in the field"
*/
WITH mapped AS (
    SELECT DISTINCT coalesce(f.external_id, map.field) AS field_id
    FROM config.fields AS map
    LEFT JOIN raw.jira_fields AS f ON map.field IN (lower(f.external_id), lower(f.name))
    WHERE map.source = 'jira' AND map.target = 'responders'
),
listed AS (
    SELECT
        i.external_id,
        CASE json_type(i.fields[m.field_id]) WHEN 'ARRAY' THEN json_extract(i.fields[m.field_id], '$[*]')
            ELSE [i.fields[m.field_id]] END AS elements
    FROM staging.jira_issues AS i
    CROSS JOIN mapped AS m
    WHERE i.fields[m.field_id] IS NOT NULL
),
elements AS (
    SELECT external_id, generate_subscripts(elements, 1) AS place, unnest(elements) AS element FROM listed
),
named AS (
    SELECT
        external_id, place,
        coalesce(json_label(element), text_or_null(element ->> '$.ari'), text_or_null(element ->> '$.accountId')) AS responder,
        CASE
            WHEN lower(element ->> '$.type') IN ('team', 'user') THEN lower(element ->> '$.type')
            WHEN regexp_matches(coalesce(element ->> '$.ari', element ->> '$.id', element ->> '$'), '^ari:.*\bteam/') THEN 'team'
            WHEN json_exists(element, '$.accountId') THEN 'user'
        END AS kind
    FROM elements
)
SELECT external_id, responder, arg_min(kind, place) AS kind, min(place) AS place
FROM named
WHERE responder IS NOT NULL
GROUP BY external_id, responder
