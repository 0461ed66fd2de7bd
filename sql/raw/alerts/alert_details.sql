/*
description = """What only the single GET of an alert shows: entity and details, which the successor API calls extra properties (Opsgenie Alert
API, Get alert; Jira Service Management Operations REST API, Get alert)."""
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "id of the alert"
entity = "what the alert is about, often a host or a service, as JSON"
details = "free key-value pairs, the values as JSON"
named = "pages of records that the description names"
updated_at = "when the alert was changed last"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    entity,
    coalesce(json_map(details), json_map(extraProperties)) AS details,
    record_pages_in(description) AS named,
    instant(updatedAt, 'UTC') AS updated_at,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', entity: 'JSON', details: 'JSON', extraProperties: 'JSON', description: 'VARCHAR', updatedAt: 'VARCHAR'
})
