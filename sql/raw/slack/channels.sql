/*
description = """The newest payload of each incident channel of Slack, typed. What people call a channel changes, its id does not."""
key = ["external_id"]

[columns]
external_id = "id of the channel"
name = "its name"
names = "its name and those that it had"
site_url = "address of the workspace, as the API gives it; an export does not"
topic = "topic as sent"
purpose = "purpose as sent"
created_at = "when it was made"
updated_at = "when any property of it changed last: no time of its archiving"
is_archived = "whether it is archived"
is_private = "whether it is private"
is_readable = "whether its messages could be read"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    coalesce(text_or_null(record."name"), text_or_null(record.name_normalized)) AS name,
    list_filter(list_concat([record."name", record.name_normalized], record.previous_names), lambda one: one IS NOT NULL) AS names,
    regexp_extract(site, '^https?://[^/\s]+') AS site_url,
    text_or_null(record.topic."value") AS topic,
    text_or_null(record.purpose."value") AS purpose,
    TRY(epoch_instant(try_cast(record.created AS BIGINT))) AS created_at,
    TRY(epoch_instant(try_cast(record.updated AS BIGINT))) AS updated_at,
    coalesce(try_cast(record.is_archived AS BOOLEAN), false) AS is_archived,
    coalesce(try_cast(record.is_private AS BOOLEAN), is_private, false) AS is_private,
    coalesce(is_readable, true) AS is_readable,
    CASE
        WHEN text_or_null(id) IS NULL THEN 'no id'
        WHEN coalesce(text_or_null(record."name"), text_or_null(record.name_normalized)) IS NULL THEN 'no name'
        WHEN TRY(epoch_instant(try_cast(record.created AS BIGINT))) IS NULL
            THEN 'created is no number of seconds: ' || coalesce(left(record.created, 40), 'missing')
    END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', site: 'VARCHAR', is_readable: 'BOOLEAN', is_private: 'BOOLEAN',
    record: 'STRUCT("name" VARCHAR, name_normalized VARCHAR, previous_names VARCHAR[], topic STRUCT("value" VARCHAR),
        purpose STRUCT("value" VARCHAR), created VARCHAR, updated VARCHAR, is_archived VARCHAR, is_private VARCHAR)'
})
