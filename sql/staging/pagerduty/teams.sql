/*
description = "PagerDuty teams in the common shape."
yields = "teams"
not_null = ["source", "external_id"]
unique = [["external_id"]]

[columns]
source = "the account"
external_id = "PagerDuty id"
name = "name"
*/
SELECT '${source}' AS source, external_id, name
FROM raw.${source}_teams
