/*
description = """Alerts of PagerDuty incidents whose incident_key is null, one row per incident (PagerDuty REST API reference, List alerts for an
incident). Other incidents have the key of their alert themselves."""
key = ["incident_id"]

[columns]
incident_id = "id of the incident"
alert_keys = "deduplication keys of its alerts"
named = "pages of records that the alerts name"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    incidentId AS incident_id,
    list_sort(list_distinct(list_filter(list_transform(alerts, lambda a: text_or_null(a.alert_key)), lambda key: key IS NOT NULL)))
        AS alert_keys,
    named_in(list_transform(alerts, lambda a: {'place': 'description', 'text_id': 'alert/' || a.id, 'text': a.body})) AS named,
    CASE WHEN text_or_null(incidentId) IS NULL THEN 'no incidentId' WHEN alerts IS NULL THEN 'no alerts' END AS reject_reason,
    landed_in
FROM landed({
    incidentId: 'VARCHAR', alerts: 'STRUCT(id VARCHAR, alert_key VARCHAR, body VARCHAR)[]'
})
