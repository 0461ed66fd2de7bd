/*
description = "PagerDuty services in the common shape."
not_null = ["source", "external_id"]
unique = [["external_id"]]

[columns]
source = "always pagerduty"
external_id = "PagerDuty id"
name = "name"
team = "first of its teams"
*/
SELECT 'pagerduty' AS source, s.external_id, s.name, t.name AS team
FROM raw.pagerduty_services AS s
LEFT JOIN raw.pagerduty_teams AS t ON t.external_id = s.team_id
