/*
description = """Alerts of Jira Service Management Operations that incident issues are linked with, one row per issue with those that it had when it was
asked last (Jira Service Management Incidents REST API, groups Linked alerts and Responder alerts)."""
key = ["issue_id"]

[columns]
issue_id = "numeric id of the issue"
linked = "ids of alerts that are linked to it"
responders = "ids of alerts that page people for it"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    issueId AS issue_id,
    list_filter(list_transform(linked, lambda one: json_text(one)), lambda one: one IS NOT NULL) AS linked,
    list_filter(list_transform(responders, lambda one: json_text(one)), lambda one: one IS NOT NULL) AS responders,
    CASE WHEN text_or_null(issueId) IS NULL THEN 'no issueId' END AS reject_reason,
    landed_in
FROM landed({
    issueId: 'VARCHAR', linked: 'JSON[]', responders: 'JSON[]'
})
