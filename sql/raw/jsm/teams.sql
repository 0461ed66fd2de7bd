/*
description = "Teams of the site that use JSM Operations (Jira Service Management Operations REST API, List teams)."
key = ["external_id"]

[columns]
external_id = "teamId"
name = "teamName"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    teamId AS external_id,
    plain_text(teamName) AS name,
    CASE WHEN text_or_null(teamId) IS NULL THEN 'no teamId' END AS reject_reason,
    landed_in
FROM landed({
    teamId: 'VARCHAR', teamName: 'VARCHAR'
})
