/*
description = "PagerDuty teams in the common shape."
like = "staging.teams"
yields = "teams"
not_null = ["source", "external_id"]
unique = [["external_id"]]

[columns]
source = "="
external_id = "PagerDuty id"
name = "="
*/
SELECT '${source}' AS source, external_id, name
FROM raw.${source}_teams
