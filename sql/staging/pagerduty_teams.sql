/*
description = "PagerDuty teams in the common shape."
not_null = ["source", "external_id"]
unique = [["external_id"]]

[columns]
source = "always pagerduty"
external_id = "PagerDuty id"
name = "name"
*/
SELECT 'pagerduty' AS source, external_id, name
FROM raw.pagerduty_teams
