/*
description = "Opsgenie teams in the common shape."
yields = "teams"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "the account"
external_id = "Opsgenie id"
name = "name"
*/
SELECT '${source}' AS source, external_id, name
FROM raw.${source}_teams
