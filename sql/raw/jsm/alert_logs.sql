/*
description = """Log entries of JSM Operations alerts. The vendor documents no list of types, so the free text is kept beside it
(Jira Service Management Operations REST API, List alert logs)."""
key = ["alert_id", "entry_id"]

[columns]
alert_id = "alert it belongs to"
entry_id = "made of what the entry says, for it has no id of its own"
entry_type = "logType, in lower case"
log = "free text, such as Alert acknowledged via web"
owner = "who did it: a person's name or address, a team, the name of an integration, or system"
created_at = "logTime: when it happened"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    parent_id AS alert_id,
    content_id([record.log, record.logType, record.owner, record.logTime]) AS entry_id,
    lower(text_or_null(record.logType)) AS entry_type,
    text_or_null(record.log) AS log,
    text_or_null(record.owner) AS owner,
    instant(record.logTime, zone) AS created_at,
    CASE
        WHEN text_or_null(parent_id) IS NULL THEN 'no alert'
        ELSE instant_problem('logTime', record.logTime, instant(record.logTime, zone))
    END AS reject_reason,
    landed_in
FROM landed({
    parent_id: 'VARCHAR', record: 'STRUCT(log VARCHAR, logType VARCHAR, owner VARCHAR, logTime VARCHAR)'
})
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
