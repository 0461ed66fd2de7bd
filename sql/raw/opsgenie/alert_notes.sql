/*
description = "Notes that responders wrote on Opsgenie alerts (Opsgenie Alert API, List alert notes)."
key = ["alert_id", "entry_id"]

[columns]
alert_id = "alert it belongs to"
entry_id = "made of what the note says, for it has no id of its own"
note = "text"
owner = "who wrote it"
created_at = "when it was written"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    parent_id AS alert_id,
    content_id([record.note, record.owner, record.createdAt, record."offset"]) AS entry_id,
    text_or_null(record.note) AS note,
    text_or_null(record.owner) AS owner,
    instant(record.createdAt, zone) AS created_at,
    CASE
        WHEN text_or_null(parent_id) IS NULL THEN 'no alert'
        ELSE instant_problem('createdAt', record.createdAt, instant(record.createdAt, zone))
    END AS reject_reason,
    landed_in
FROM landed({
    parent_id: 'VARCHAR', record: 'STRUCT(note VARCHAR, owner VARCHAR, createdAt VARCHAR, "offset" VARCHAR)'
})
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
