/*
description = "JSM Operations teams in the common shape."
yields = "teams"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "the account"
external_id = "id of the team"
name = "name"
*/
SELECT '${source}' AS source, external_id, name
FROM raw.${source}_teams
