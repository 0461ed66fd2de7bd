/*
description = "The bookmarks of each incident channel of Slack, as the list was last: each replaces the one before."
key = ["external_id"]

[columns]
external_id = "id of the channel"
bookmarks = "title and address of each"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    bookmarks,
    CASE WHEN text_or_null(id) IS NULL THEN 'no channel' END AS reject_reason,
    landed_in
FROM landed({id: 'VARCHAR', bookmarks: 'STRUCT(title VARCHAR, link VARCHAR)[]'})
