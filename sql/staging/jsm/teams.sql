/*
description = "JSM Operations teams in the common shape."
like = "staging.teams"
yields = "teams"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "="
external_id = "id of the team"
name = "="
*/
SELECT '${source}' AS source, external_id, name
FROM raw.${source}_teams
