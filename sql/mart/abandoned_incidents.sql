/*
description = """Open incidents that nobody works on any more: neither an event nor a change at the vendor for the configured time (default 7
days). They stand apart in downtime. An incident leaves the list when it is closed, or when something happens to it. The ones that have
been quiet for the longest time come first."""
published = true
like = "core.incidents"
not_null = ["incident_id", "source", "external_id", "severity", "service", "team", "status", "started_at", "last_event_at", "age_days", "quiet_days", "is_down"]
unique = [["incident_id"]]

[assert]
quiet_since_it_began = "quiet_days >= 0"

[columns]
incident_id = "incident"
source = "="
external_id = "="
key = "="
title = "="
url = "="
severity = "="
service = "service; `unknown` where the incident has none"
team = "team; `unknown` where the incident has none"
status = "="
started_at = "="
last_event_at = "="
updated_at = "="
age_days = "days from started_at to as_of"
quiet_days = "days from the last event, or the last change at the vendor if that is later, to as_of"
is_down = "no stamp says when users had service again, so its downtime ends at its last event and counts apart"
*/
SELECT
    i.incident_id,
    i.source,
    i.external_id,
    i.key,
    i.title,
    i.url,
    i.severity,
    coalesce(i.service, 'unknown') AS service,
    coalesce(i.team, 'unknown') AS team,
    i.status,
    i.started_at,
    i.last_event_at,
    i.updated_at,
    (epoch_us(run.as_of) - epoch_us(i.started_at)) / 8.64e10 AS age_days,
    (epoch_us(run.as_of) - greatest(
        epoch_us(i.last_event_at), CASE WHEN epoch_us(i.updated_at) <= epoch_us(run.as_of) THEN epoch_us(i.updated_at) END
    )) / 8.64e10 AS quiet_days,
    i.mitigated_at IS NULL AS is_down
FROM facts.matched AS m
JOIN core.incidents AS i ON i.rowid = m.incident_no
CROSS JOIN config.run AS run
WHERE m.is_abandoned
ORDER BY quiet_days DESC, i.incident_id
