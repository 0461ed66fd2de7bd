/*
description = "Opsgenie services as they are now (answers of /v1/services; not part of the vendor's API description)."
key = ["external_id"]

[columns]
external_id = "id"
name = "name"
team_id = "team that owns it"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    plain_text(name) AS name,
    text_or_null(teamId) AS team_id,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', name: 'VARCHAR', teamId: 'VARCHAR'
})
