/*
description = """SLA cycles as Jira Service Management keeps them, beside our figures and never mixed into them: the vendor's clock
counts the working time of the SLA's calendar and stops while it is paused, ours counts wall time. `Time to resolution` and
`Time to first response` are what a site has unless it was changed."""
not_null = ["incident_id", "source", "external_id", "field_id", "cycle", "is_ongoing"]
unique = [["source", "external_id", "field_id", "cycle"]]

[columns]
incident_id = "incident that the issue is counted under"
source = "always jira"
external_id = "numeric id of the issue"
field_id = "id of the custom field that holds it"
name = "name of the SLA"
cycle = "1 for the first; a reopened issue has several"
started_at = "when the cycle began. UTC"
stopped_at = "when it was completed; NULL while it goes on. UTC"
breached = "whether the vendor says that the goal was missed"
goal_minutes = "the goal, in minutes of the SLA's calendar"
elapsed_minutes = "minutes of the SLA's calendar used, when the issue was read"
is_ongoing = "whether the cycle goes on"
*/
SELECT
    l.incident_id,
    l.source,
    s.external_id,
    s.field_id,
    s.name,
    s.cycle,
    make_timestamptz(epoch_us(s.started_at)) AS started_at,
    make_timestamptz(epoch_us(s.stopped_at)) AS stopped_at,
    s.breached,
    s.goal_minutes,
    s.elapsed_minutes,
    s.is_ongoing
FROM staging.jira_sla AS s
JOIN mart.incident_sources AS l ON l.source = 'jira' AND l.external_id = s.external_id
ORDER BY s.external_id, s.field_id, s.cycle
