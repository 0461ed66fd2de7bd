/*
description = """Published GitHub releases of repositories without deployments. `created_at` is the date of the tagged commit, not of the release
(REST API reference, Get the latest release)."""
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "id"
repository_id = "id of the repository"
environment = "environment that releases bring out by the configuration; NULL where none is configured, and for a pre-release"
tag = "tag"
title = "name"
body = "the beginning of the notes"
page = "page of the release"
committed_at = "date of the tagged commit"
published_at = "when it was published"
updated_at = "when it changed last, as far as it says"
is_draft = "whether it is not published"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    record.id AS external_id,
    repositoryId AS repository_id,
    CASE WHEN NOT coalesce(try_cast(record.prerelease AS BOOLEAN), false) THEN text_or_null(environment) END AS environment,
    text_or_null(record.tag_name) AS tag,
    text_or_null(record."name") AS title,
    left(text_or_null(record.body), 4000) AS body,
    web_link(record.html_url) AS page,
    instant(record.created_at) AS committed_at,
    instant(record.published_at) AS published_at,
    greatest(instant(record.updated_at), instant(record.published_at), instant(record.created_at)) AS updated_at,
    coalesce(try_cast(record.draft AS BOOLEAN), false) OR instant(record.published_at) IS NULL AS is_draft,
    CASE
        WHEN text_or_null(record.id) IS NULL THEN 'no id'
        WHEN text_or_null(repositoryId) IS NULL THEN 'no repository'
        ELSE instant_problem('created_at', record.created_at, instant(record.created_at))
    END AS reject_reason,
    landed_in
FROM landed({
    repositoryId: 'VARCHAR', environment: 'VARCHAR',
    record: 'STRUCT(id VARCHAR, tag_name VARCHAR, "name" VARCHAR, body VARCHAR, html_url VARCHAR, draft VARCHAR, prerelease VARCHAR,
        created_at VARCHAR, published_at VARCHAR, updated_at VARCHAR)'
})
