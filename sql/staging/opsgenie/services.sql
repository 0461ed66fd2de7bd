/*
description = "Opsgenie services in the common shape."
like = "staging.services"
yields = "services"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "="
external_id = "Opsgenie id"
name = "="
team = "="
*/
SELECT '${source}' AS source, s.external_id, s.name, t.name AS team
FROM raw.${source}_services AS s
LEFT JOIN raw.${source}_teams AS t ON t.external_id = s.team_id
