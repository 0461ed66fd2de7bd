/*
description = "The newest payload of each ticket, typed."
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "id"
title = "title"
url = "page of the ticket"
severity = "severity as sent"
status = "status as sent"
service = "service"
team = "team"
created_at = "when it was opened"
updated_at = "when it changed last"
history = "what was done, in the order sent"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    text_or_null(title) AS title,
    url,
    text_or_null(severity) AS severity,
    lower(status) AS status,
    service,
    team,
    instant(created_at) AS created_at,
    instant(updated_at) AS updated_at,
    history,
    CASE
        WHEN text_or_null(id) IS NULL THEN 'no id'
        ELSE instant_problem('created_at', created_at, instant(created_at))
    END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', title: 'VARCHAR', url: 'VARCHAR', severity: 'VARCHAR', status: 'VARCHAR', service: 'VARCHAR',
    team: 'VARCHAR', created_at: 'VARCHAR', updated_at: 'VARCHAR',
    history: 'STRUCT(id VARCHAR, "action" VARCHAR, happened_at VARCHAR, person VARCHAR, comment VARCHAR)[]'
})
