/*
description = """What only the single GET of a JSM Operations alert shows: entity and extra properties (Jira Service Management
Operations REST API, Get alert)."""
source = "jsm"
stream = "alert_details"
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "id of the alert"
entity = "what the alert is about, often a host or a service"
details = "extra properties: free key-value pairs, the values as JSON"
updated_at = "when the alert was changed last"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    text_or_null(entity) AS entity,
    json_map(extraProperties) AS details,
    instant(updatedAt, 'UTC') AS updated_at,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', entity: 'VARCHAR', extraProperties: 'JSON', updatedAt: 'VARCHAR'
})
