/*
description = """Records that the vendor does not have any more: found by comparing counts and ids per window of creation with ours.
A record that is landed again later leaves this list."""
key = ["external_id", "of_stream"]

[columns]
external_id = "id of the record"
of_stream = "stream it was landed in"
seen_missing_at = "clock of the run that missed it. UTC"
reject_reason = "why the line cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    stream AS of_stream,
    instant(seen_missing_at, 'UTC') AS seen_missing_at,
    CASE WHEN text_or_null(id) IS NULL OR text_or_null(stream) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({stream: 'VARCHAR', id: 'VARCHAR', seen_missing_at: 'VARCHAR'})
