/*
description = """SLA cycles as the vendor measures them. They are kept apart from our figures: the vendor's clock counts the working time of the
SLA's calendar and stops while it is paused, ours counts elapsed time."""
published = true
like = "core.incident_sources"
not_null = ["incident_id", "source", "external_id", "field_id", "cycle", "is_ongoing"]
unique = [["source", "external_id", "field_id", "cycle"]]

[columns]
incident_id = "="
source = "="
external_id = "="
field_id = "the vendor's id of the SLA"
name = "name of the SLA"
cycle = "1 for the first cycle; a reopened record has several"
started_at = "start of the cycle. UTC"
stopped_at = "completion of the cycle; NULL while it is ongoing. UTC"
breached = "whether the vendor says that the goal was missed"
goal_minutes = "goal, in minutes of the SLA's calendar"
elapsed_minutes = "minutes of the SLA's calendar that had elapsed when the record was read"
is_ongoing = "whether the cycle is ongoing"
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
FROM staging.sla_cycles AS s
JOIN core.incident_sources AS l ON l.source = s.source AND l.external_id = s.external_id AND l.episode = 1
ORDER BY s.external_id, s.field_id, s.cycle
