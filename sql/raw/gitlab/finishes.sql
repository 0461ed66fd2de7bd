/*
description = "The hour in which a GitLab deployment that no job made finished, as GitLab answers for windows of finishes."
key = ["external_id"]

[columns]
external_id = "id of the deployment"
since = "start of the hour"
until = "its end"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    instant(since) AS since,
    instant("until") AS "until",
    CASE WHEN text_or_null(id) IS NULL THEN 'no id'
        ELSE coalesce(instant_problem('since', since, instant(since)), instant_problem('until', "until", instant("until")))
    END AS reject_reason,
    landed_in
FROM landed({id: 'VARCHAR', since: 'VARCHAR', "until": 'VARCHAR'})
