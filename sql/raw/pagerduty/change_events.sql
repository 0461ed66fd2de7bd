/*
description = """PagerDuty change events, typed: builds, changes of configuration and deploys, mixed. Their time is set by the sender. The vendor
keeps them for 90 days (PagerDuty REST API, List Change Events)."""
key = ["external_id"]

[columns]
external_id = "PagerDuty id"
summary = "text of the event"
happened_at = "when the emitting tool detected or generated it"
event_source = "where it happened, as the sender calls it"
integration_id = "integration that it came by"
services = "ids of the services that it is about, with the name that it carries"
details = "free key-value pairs, the values as JSON"
url = "first link that the sender gave"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    plain_text(summary) AS summary,
    instant("timestamp") AS happened_at,
    plain_text("source") AS event_source,
    text_or_null(integration.id) AS integration_id,
    list_filter(services, lambda s: s.id IS NOT NULL) AS services,
    json_map(custom_details) AS details,
    text_or_null(links[1].href) AS url,
    CASE
        WHEN text_or_null(id) IS NULL THEN 'no id'
        ELSE instant_problem('timestamp', "timestamp", instant("timestamp"))
    END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', summary: 'VARCHAR', "timestamp": 'VARCHAR', "source": 'VARCHAR', integration: 'STRUCT(id VARCHAR)',
    services: 'STRUCT(id VARCHAR, summary VARCHAR)[]', custom_details: 'JSON', links: 'STRUCT(href VARCHAR)[]'
})
