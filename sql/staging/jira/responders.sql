/*
description = """Responders of Jira issues: the elements of the fields mapped to `responders` (by default the field of that name, which
Jira Service Management fills on incidents). An element is a user, a team (`type` or the resource name says so), or just a
resource name."""
yields = "responders"
not_null = ["external_id", "responder"]
unique = [["external_id", "responder"]]

[columns]
source = "the account"
external_id = "numeric id of the issue"
responder = "name, else id"
kind = "team or user; NULL when nothing says it"
place = "position in the field"
*/
WITH mapped AS (
    SELECT DISTINCT field_id FROM staging.${source}_field_map WHERE target = 'responders'
),
listed AS (
    SELECT
        i.external_id,
        CASE json_type(i.fields[m.field_id]) WHEN 'ARRAY' THEN json_extract(i.fields[m.field_id], '$[*]')
            ELSE [i.fields[m.field_id]] END AS elements
    FROM staging.${source}_issues AS i
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
SELECT '${source}' AS source, external_id, responder, arg_min(kind, place) AS kind, min(place) AS place
FROM named
WHERE responder IS NOT NULL
GROUP BY external_id, responder
