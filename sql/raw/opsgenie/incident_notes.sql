/*
description = "Notes that responders wrote on Opsgenie incidents (Opsgenie Incident API, List incident notes)."
like = "raw.${source}_alert_notes"
key = ["incident_id", "entry_id"]

[columns]
incident_id = "incident it belongs to"
entry_id = "="
note = "="
owner = "="
created_at = "="
reject_reason = "="
landed_in = "="
*/
SELECT
    parent_id AS incident_id,
    content_id([record.note, record.owner, record.createdAt, record."offset"]) AS entry_id,
    text_or_null(record.note) AS note,
    text_or_null(record.owner) AS owner,
    instant(record.createdAt, zone) AS created_at,
    CASE
        WHEN text_or_null(parent_id) IS NULL THEN 'no incident'
        ELSE instant_problem('createdAt', record.createdAt, instant(record.createdAt, zone))
    END AS reject_reason,
    landed_in
FROM landed({
    parent_id: 'VARCHAR', record: 'STRUCT(note VARCHAR, owner VARCHAR, createdAt VARCHAR, "offset" VARCHAR)'
})
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
