/*
description = "How many events issues had per hour or day, one row per issue and pull. Hours without events are left out."
key = ["external_id", "minutes", "read_at"]

[columns]
external_id = "id of the issue"
minutes = "length of a period"
read_at = "when they were read: a period that ends later is not whole"
points = "of each period its beginning, in seconds since 1970, and the events in it"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    text_or_null(id) AS external_id,
    try_cast(minutes AS INTEGER) AS minutes,
    instant(read_at) AS read_at,
    list_filter(points, lambda p: len(p) = 2 AND p[1] BETWEEN 0 AND 253402300799 AND p[2] >= 0) AS points,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id'
        WHEN coalesce(try_cast(minutes AS INTEGER) NOT IN (60, 1440), true) THEN 'no length of a period'
        ELSE instant_problem('read_at', read_at, instant(read_at))
    END AS reject_reason,
    landed_in
FROM landed({id: 'VARCHAR', minutes: 'VARCHAR', read_at: 'VARCHAR', points: 'BIGINT[][]'})
