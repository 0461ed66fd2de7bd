/*
description = """Notes that responders wrote on JSM Operations alerts (Jira Service Management Operations REST API, List alert
notes)."""
key = ["alert_id", "entry_id"]
version = "updated_at"

[columns]
alert_id = "alert it belongs to"
entry_id = "id of the note, else made of what it says"
note = "text"
owner = "who wrote it"
created_at = "when it was written"
updated_at = "when it was edited last"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    parent_id AS alert_id,
    coalesce(text_or_null(record.id), content_id([record.note, record.owner, record.createdAt])) AS entry_id,
    text_or_null(record.note) AS note,
    text_or_null(record.owner) AS owner,
    instant(record.createdAt, zone) AS created_at,
    instant(record.updatedAt, zone) AS updated_at,
    CASE
        WHEN text_or_null(parent_id) IS NULL THEN 'no alert'
        ELSE instant_problem('createdAt', record.createdAt, instant(record.createdAt, zone))
    END AS reject_reason,
    landed_in
FROM landed({
    parent_id: 'VARCHAR', record: 'STRUCT(id VARCHAR, note VARCHAR, owner VARCHAR, createdAt VARCHAR, updatedAt VARCHAR)'
})
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
