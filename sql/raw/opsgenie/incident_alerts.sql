/*
description = """Alerts of Opsgenie incidents, one row per incident: those that were associated with it, and those that page its responders (seen in
the vendor's own client libraries; the reference does not list these requests)."""
key = ["incident_id"]

[columns]
incident_id = "id of the incident"
associated = "ids of alerts that belong to it"
responders = "ids of alerts that page people for it"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    incidentId AS incident_id,
    list_filter(list_transform(associated, lambda one: json_text(one)), lambda one: one IS NOT NULL) AS associated,
    list_filter(list_transform(responders, lambda one: json_text(one)), lambda one: one IS NOT NULL) AS responders,
    CASE WHEN text_or_null(incidentId) IS NULL THEN 'no incidentId' END AS reject_reason,
    landed_in
FROM landed({
    incidentId: 'VARCHAR', associated: 'JSON[]', responders: 'JSON[]'
})
