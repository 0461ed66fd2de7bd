/*
description = """The newest payload of each deploy of a release, typed. Those that the server lists no more, because the same release was
brought out again, stay."""
key = ["external_id"]

[columns]
external_id = "id of the deploy, unique on the server"
release = "version of its release"
environment = "name of the environment"
name = "name of the deploy, as the caller said"
url = "page of the deploy, as the caller said"
created_at = "when the server was told of it; only GlitchTip says it"
started_at = "when it began, as the caller said"
finished_at = "when it was over, as the caller said; Sentry puts the time of the call where the caller says nothing, GlitchTip nothing"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
WITH lines AS (
    SELECT
        id, release, record, landed_in,
        plain_text(record.dateCreated) AS created, plain_text(record.dateStarted) AS started, plain_text(record.dateFinished) AS finished
    FROM landed({
        id: 'VARCHAR', release: 'VARCHAR',
        record: 'STRUCT(environment VARCHAR, "name" VARCHAR, url VARCHAR, dateCreated VARCHAR, dateStarted VARCHAR, dateFinished VARCHAR)'
    })
)
SELECT
    id AS external_id,
    text_or_null(release) AS release,
    plain_text(record.environment) AS environment,
    plain_text(record.name) AS "name",
    plain_text(record.url) AS url,
    instant(created) AS created_at,
    instant(started) AS started_at,
    instant(finished) AS finished_at,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id'
        WHEN text_or_null(release) IS NULL THEN 'no release'
        ELSE coalesce(
            CASE WHEN created IS NOT NULL THEN instant_problem('dateCreated', created, instant(created)) END,
            CASE WHEN started IS NOT NULL THEN instant_problem('dateStarted', started, instant(started)) END,
            CASE WHEN finished IS NOT NULL THEN instant_problem('dateFinished', finished, instant(finished)) END)
    END AS reject_reason,
    landed_in
FROM lines
