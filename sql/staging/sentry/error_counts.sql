/*
description = "Events of issues per hour and day. An hour without a row had none; days without events have one."
like = "staging.error_counts"
yields = "error_counts"
not_null = ["source", "external_id", "began_at", "minutes", "events"]
unique = [["external_id", "minutes", "began_at"]]

[columns]
source = "="
external_id = "="
began_at = "="
minutes = "="
events = "="
read_at = "="
*/
WITH points AS (
    SELECT external_id, minutes, read_at, unnest(points) AS point FROM raw.${source}_issue_counts
),
each AS (
    SELECT external_id, minutes, point[1] AS second, arg_max(point[2], read_at) AS events, max(read_at) AS read_at
    FROM points
    GROUP BY external_id, minutes, point[1]
)
SELECT '${source}' AS source, e.external_id, make_timestamp(e.second * 1000000) AS began_at, e.minutes, e.events, e.read_at
FROM each AS e
SEMI JOIN staging.${source}_error_issues AS i ON i.external_id = e.external_id
