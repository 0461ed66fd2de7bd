/*
description = "JSM Operations teams in the common shape."
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "always jsm"
external_id = "id of the team"
name = "name"
*/
SELECT 'jsm' AS source, external_id, name
FROM raw.jsm_teams
