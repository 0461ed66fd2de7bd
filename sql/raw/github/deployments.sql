/*
description = """GitHub deployments: requests to bring out a commit. What became of them is in their statuses. Of the people who asked for them,
nothing is read."""
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "id"
repository_id = "id of the repository"
sha = "commit"
ref = "branch, tag or commit that was asked for"
task = "what was to be done; deploy by default"
environment = "environment that was asked for; GitHub takes production where the caller names none"
is_transient = "whether the environment exists for this deployment only, such as the preview of a change"
description = "what the caller says about it"
payload_text = "a text in its payload, which callers fill as they like"
created_at = "when it was asked for: it may wait for hours or days after that"
updated_at = "when it, or a status of it, changed last"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    record.id AS external_id,
    parent_id AS repository_id,
    lower(text_or_null(record.sha)) AS sha,
    text_or_null(record.ref) AS ref,
    lower(coalesce(text_or_null(record.task), 'deploy')) AS task,
    plain_text(record.environment) AS environment,
    coalesce(try_cast(record.transient_environment AS BOOLEAN), false) AS is_transient,
    text_or_null(record.description) AS description,
    left(CASE json_type(record.payload)
        WHEN 'VARCHAR' THEN CASE WHEN NOT json_valid(record.payload ->> '$') THEN text_or_null(record.payload ->> '$') END
        WHEN 'OBJECT' THEN list_filter(
            list_transform(
                json_extract(record.payload, ['$.title', '$.description', '$.message', '$.name']), lambda part: json_scalar(part)),
            lambda part: part IS NOT NULL)[1]
    END, 1000) AS payload_text,
    instant(record.created_at) AS created_at,
    coalesce(instant(record.updated_at), instant(record.created_at)) AS updated_at,
    CASE
        WHEN text_or_null(record.id) IS NULL THEN 'no id'
        WHEN text_or_null(parent_id) IS NULL THEN 'no repository'
        ELSE instant_problem('created_at', record.created_at, instant(record.created_at))
    END AS reject_reason,
    landed_in
FROM landed({
    parent_id: 'VARCHAR',
    record: 'STRUCT(id VARCHAR, sha VARCHAR, ref VARCHAR, task VARCHAR, environment VARCHAR, transient_environment VARCHAR,
        description VARCHAR, payload JSON, created_at VARCHAR, updated_at VARCHAR)'
})
