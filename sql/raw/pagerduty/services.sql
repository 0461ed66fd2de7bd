/*
description = "PagerDuty services as they are now; a deleted one is missing here, its incidents keep the name they carried."
key = ["external_id"]

[columns]
external_id = "id"
name = "name"
team_id = "first of its teams"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    coalesce(plain_text(name), plain_text(summary)) AS name,
    teams[1].id AS team_id,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({
    teams: 'STRUCT(id VARCHAR)[]',
    id: 'VARCHAR', name: 'VARCHAR', summary: 'VARCHAR'
})
