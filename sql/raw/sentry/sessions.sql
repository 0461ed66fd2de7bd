/*
description = "The newest count of the sessions of each release, project, environment and day."
key = ["external_id", "project", "environment", "began_at"]
version = "read_at"

[columns]
external_id = "version of the release"
project = "id of the project; empty where the server says none"
environment = "name of the environment; empty where the server says none"
began_at = "when the day begins"
read_at = "when it was read"
sessions = "sessions that began in it"
crashed = "those that crashed"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    text_or_null(id) AS external_id,
    coalesce(text_or_null(project), '') AS project,
    coalesce(text_or_null(environment), '') AS environment,
    instant("day") AS began_at,
    instant(read_at) AS read_at,
    try_cast(sessions AS BIGINT) AS sessions,
    try_cast(crashed AS BIGINT) AS crashed,
    CASE WHEN text_or_null(id) IS NULL THEN 'no version'
        WHEN try_cast(sessions AS BIGINT) IS NULL OR try_cast(crashed AS BIGINT) IS NULL THEN 'no number of sessions'
        ELSE coalesce(instant_problem('day', "day", instant("day")), instant_problem('read_at', read_at, instant(read_at)))
    END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', project: 'VARCHAR', environment: 'VARCHAR', "day": 'VARCHAR', read_at: 'VARCHAR', sessions: 'VARCHAR', crashed: 'VARCHAR'
})
