/*
description = """When each counted incident was given to somebody first: the first entry in the history of one of its records that says so. An incident
without such an entry has no row."""
not_null = ["incident_no", "assigned_us"]
unique = [["incident_no"]]

[columns]
incident_no = "rowid of the incident in core.incidents"
assigned_us = "the first assignment, in microseconds since 1970"
*/
WITH given AS (
    SELECT source, record_id, episode, min(happened_at) AS assigned_at
    FROM core.timeline
    WHERE event_type = 'assigned'
    GROUP BY source, record_id, episode
)
SELECT i.rowid AS incident_no, min(epoch_us(g.assigned_at)) AS assigned_us
FROM given AS g
JOIN core.incident_sources AS l ON l.source = g.source AND l.external_id = g.record_id AND l.episode = g.episode
JOIN core.incidents AS i ON i.incident_id = l.incident_id
WHERE i.is_counted
GROUP BY i.rowid
