/*
description = "Opsgenie services in the common shape."
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "always opsgenie"
external_id = "Opsgenie id"
name = "name"
team = "name of the team that owns it"
*/
SELECT 'opsgenie' AS source, s.external_id, s.name, t.name AS team
FROM raw.opsgenie_services AS s
LEFT JOIN raw.opsgenie_teams AS t ON t.external_id = s.team_id
