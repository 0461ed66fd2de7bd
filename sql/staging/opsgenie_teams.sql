/*
description = "Opsgenie teams in the common shape."
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "always opsgenie"
external_id = "Opsgenie id"
name = "name"
*/
SELECT 'opsgenie' AS source, external_id, name
FROM raw.opsgenie_teams
