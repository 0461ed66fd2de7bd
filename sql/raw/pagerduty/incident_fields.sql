/*
description = """Custom fields of PagerDuty incidents, as the single GET with include[]=custom_fields shows them; read only
when `[sources.pagerduty.fields]` maps any."""
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "id of the incident"
updated_at = "as sent"
fields = "name, display name and value of each custom field"
bridge_url = "address of the conference bridge, which may be a chat channel"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    instant(updated_at, 'UTC') AS updated_at,
    custom_fields AS fields,
    text_or_null(conference_bridge.conference_url) AS bridge_url,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', updated_at: 'VARCHAR',
    custom_fields: 'STRUCT("name" VARCHAR, display_name VARCHAR, "value" JSON)[]',
    conference_bridge: 'STRUCT(conference_url VARCHAR)'
})
