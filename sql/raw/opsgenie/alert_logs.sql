/*
description = """Log entries of Opsgenie alerts. The vendor documents no list of types and most entries are of type system, so
the free text is kept beside it (Opsgenie Alert API, List alert logs)."""
key = ["alert_id", "entry_id"]

[columns]
alert_id = "alert it belongs to"
entry_id = "made of what the entry says, for it has no id of its own"
entry_type = "type, in lower case"
log = "free text, such as Alert acknowledged via web"
owner = "who did it: a user name (an address), the name of an integration, or System"
created_at = "when it happened"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    parent_id AS alert_id,
    content_id([record.log, record.type, record.owner, record.createdAt, record."offset"]) AS entry_id,
    lower(text_or_null(record.type)) AS entry_type,
    text_or_null(record.log) AS log,
    text_or_null(record.owner) AS owner,
    instant(record.createdAt, zone) AS created_at,
    CASE
        WHEN text_or_null(parent_id) IS NULL THEN 'no alert'
        ELSE instant_problem('createdAt', record.createdAt, instant(record.createdAt, zone))
    END AS reject_reason,
    landed_in
FROM landed({
    parent_id: 'VARCHAR', record: 'STRUCT(log VARCHAR, "type" VARCHAR, owner VARCHAR, createdAt VARCHAR, "offset" VARCHAR)'
})
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
