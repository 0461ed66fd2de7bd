/*
description = "The pinned messages of each incident channel of Slack, as the list was last: each replaces the one before."
key = ["external_id"]

[columns]
external_id = "id of the channel"
pinned = "ts of its pinned messages"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    list_filter(list_transform(items, lambda one: one.message.ts), lambda ts: ts IS NOT NULL) AS pinned,
    CASE WHEN text_or_null(id) IS NULL THEN 'no channel' END AS reject_reason,
    landed_in
FROM landed({id: 'VARCHAR', items: 'STRUCT(message STRUCT(ts VARCHAR))[]'})
