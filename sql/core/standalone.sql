/*
description = """One row per vendor record and episode, as it stands alone: without what duplicates, tickets, alerts and pages of the same
incident say. A record that came back within the flap time is a part of the incident of the first record, whose row has the history of
all of them, and has a row of its own too. core.incidents puts together the rows that are one incident."""
like = "core.incidents"
not_null = ["record_id", "source", "external_id", "kind", "severity", "severity_source", "status", "episode", "reopen_count",
    "auto_resolved", "started_at", "is_before_history", "last_event_at", "is_abandoned", "role", "began_at", "ended_at"]
unique = [["record_id"]]

[columns]
record_id = "UUIDv5 of source, external_id and, from the second on, episode: the incident_id that it has when it stands alone"
source = "="
external_id = "="
key = "="
title = "="
url = "="
kind = "="
severity = "="
severity_first = "="
severity_max = "="
severity_source = "="
vendor_severity = "="
status = "="
vendor_status = "="
started_at = "="
occurred_at = "="
detected_at = "="
acknowledged_at = "="
investigating_at = "="
root_cause_found_at = "="
mitigated_at = "="
resolved_at = "="
closed_at = "="
first_resolved_at = "="
occurred_provenance = "="
detected_provenance = "="
acknowledged_provenance = "="
investigating_provenance = "="
root_cause_found_provenance = "="
mitigated_provenance = "="
resolved_provenance = "="
closed_provenance = "="
episode = "="
reopen_count = "="
flap_count = "="
ack_count = "="
active_minutes = "="
last_event_at = "="
is_abandoned = "="
auto_resolved = "="
resolution_kind = "="
service = "="
team = "="
tags = "="
root_cause_category = "="
affected_users = "="
revenue_impact = "="
updated_at = "="
is_before_history = "="
role = "pager, ticket, machine alert or channel: what its source is"
flap_of = "external_id of the record whose incident it continues, because the same dedup key came back; NULL for others"
duplicate_of_id = "external_id of the record that it is counted under as a merged or duplicate record; NULL for others"
flap_of_episode = "episode of that incident in which it began; NULL for others"
began_at = "start of its lifetime: occurred_at, else started_at. UTC"
ended_at = "end of its lifetime: resolved_at, else closed_at, else as_of; never before began_at. UTC"
is_over_unknown = "whether the record says that it is over, and nothing says since when"
reopened_at = "last reopen within the episode; NULL without one. UTC"
acknowledged_by = "human, integration or timeout: who or what made the first acknowledgement"
copied_stamps = "stamps that an integration copied, a bit each, see core.episodes"
active_us = "microseconds in which it was not resolved; an open one counts until as_of"
*/
-- Of a record with several episodes the last one has its status, and of records that flapped all of them together.
WITH continued AS (
    SELECT source, record_id, max(episode) AS last_episode FROM core.episodes WHERE episode > 1 GROUP BY source, record_id
),
flapped AS (
    SELECT f.source, f.root_id, bool_and(coalesce(r.status_event IN ('resolved', 'closed'), false)) AS is_over
    FROM core.flaps AS f
    JOIN core.vendor_records AS r ON r.source = f.source AND r.external_id = f.external_id
    GROUP BY f.source, f.root_id
),
-- Without a time of its last change, a record that ends after as_of may have got its status then.
ends_later AS (
    SELECT DISTINCT source, external_id FROM core.events WHERE set_aside IN ('future', 'after as_of') AND event_type IN ('resolved', 'closed')
),
over AS (
    SELECT e.source, e.record_id, e.episode, r.status_event AS status
    FROM core.episodes AS e
    JOIN core.vendor_records AS r ON r.source = e.source AND r.external_id = e.record_id
    LEFT JOIN continued AS c ON c.source = e.source AND c.record_id = e.record_id
    LEFT JOIN flapped AS f ON f.source = e.source AND f.root_id = e.record_id
    LEFT JOIN ends_later AS l ON l.source = e.source AND l.external_id = e.record_id
    WHERE e.resolved_at IS NULL AND r.status_event IN ('resolved', 'closed') AND e.episode = coalesce(c.last_episode, 1)
        AND coalesce(f.is_over, true) AND (r.updated_at IS NOT NULL OR l.external_id IS NULL)
),
-- The episode of the incident that a flap continues, for each episode of the flap by itself.
continues AS (
    SELECT alone.source, alone.record_id, alone.episode, min(joined.episode) AS in_episode
    FROM core.timeline AS alone
    SEMI JOIN core.flaps AS f ON f.source = alone.source AND f.external_id = alone.record_id
    JOIN core.timeline AS joined ON joined.source = alone.source AND joined.member_id = alone.record_id
        AND joined.event_id = alone.event_id AND joined.record_id <> alone.record_id
    GROUP BY alone.source, alone.record_id, alone.episode
),
begun AS (
    SELECT
        e.*,
        over.status IS NOT NULL AS is_over_unknown,
        coalesce(over.status, e.status) AS status_any,
        coalesce(e.detected_at, least(e.occurred_at, e.acknowledged_at, e.investigating_at, e.root_cause_found_at, e.mitigated_at,
            e.resolved_at, e.closed_at)) AS started_at
    FROM core.episodes AS e
    LEFT JOIN over ON over.source = e.source AND over.record_id = e.record_id AND over.episode = e.episode
)
SELECT
    incident_uuid(g.source, g.record_id, g.episode) AS record_id,
    g.source,
    g.record_id AS external_id,
    r.key,
    r.title,
    r.url,
    r.kind,
    r.severity,
    coalesce(g.severity_first, r.severity) AS severity_first,
    least(r.severity, g.severity_worst) AS severity_max,
    r.severity_source,
    r.vendor_severity,
    g.status_any AS status,
    r.vendor_status,
    make_timestamptz(epoch_us(g.started_at)) AS started_at,
    make_timestamptz(epoch_us(g.occurred_at)) AS occurred_at,
    make_timestamptz(epoch_us(g.detected_at)) AS detected_at,
    make_timestamptz(epoch_us(g.acknowledged_at)) AS acknowledged_at,
    make_timestamptz(epoch_us(g.investigating_at)) AS investigating_at,
    make_timestamptz(epoch_us(g.root_cause_found_at)) AS root_cause_found_at,
    make_timestamptz(epoch_us(g.mitigated_at)) AS mitigated_at,
    make_timestamptz(epoch_us(g.resolved_at)) AS resolved_at,
    make_timestamptz(epoch_us(g.closed_at)) AS closed_at,
    make_timestamptz(epoch_us(g.first_resolved_at)) AS first_resolved_at,
    g.occurred_provenance,
    g.detected_provenance,
    g.acknowledged_provenance,
    g.investigating_provenance,
    g.root_cause_found_provenance,
    g.mitigated_provenance,
    g.resolved_provenance,
    g.closed_provenance,
    g.episode,
    g.reopen_count,
    g.flap_count,
    g.ack_count,
    CASE WHEN NOT g.is_over_unknown THEN nullif(greatest(g.active_us, -1), -1) / 6e7 END AS active_minutes,
    make_timestamptz(epoch_us(g.last_event_at)) AS last_event_at,
    -- A change at the vendor after as_of says nothing about the time before it.
    g.status_any NOT IN ('resolved', 'closed') AND g.resolved_at IS NULL AND g.closed_at IS NULL
        AND epoch_us(run.as_of) - run.abandoned_us >= greatest(
            epoch_us(g.last_event_at),
            CASE WHEN epoch_us(r.updated_at) <= epoch_us(run.as_of) + 300_000_000 THEN epoch_us(r.updated_at) END
        ) AS is_abandoned,
    coalesce(g.resolved_at IS NOT NULL AND coalesce(r.resolution_kind, g.resolution_kind) IN ('integration', 'timeout'), false)
        AS auto_resolved,
    CASE WHEN g.resolved_at IS NOT NULL THEN coalesce(r.resolution_kind, g.resolution_kind) END AS resolution_kind,
    r.service,
    r.team,
    r.tags,
    r.root_cause_category,
    r.affected_users,
    r.revenue_impact,
    make_timestamptz(epoch_us(r.updated_at)) AS updated_at,
    coalesce(g.started_at < h.complete_since, false) AS is_before_history,
    -- The records of a source of deploys are errors that passed the gate: no other source has them.
    CASE WHEN s.role = 'deploys' THEN 'machine alert' ELSE coalesce(s.role, 'ticket') END AS role,
    f.root_id AS flap_of,
    CASE WHEN f.root_id IS NULL THEN d.root_id END AS duplicate_of_id,
    CASE WHEN f.root_id IS NOT NULL THEN coalesce(c.in_episode, 1) END AS flap_of_episode,
    make_timestamptz(epoch_us(coalesce(g.occurred_at, g.started_at))) AS began_at,
    make_timestamptz(epoch_us(greatest(coalesce(g.occurred_at, g.started_at), coalesce(g.resolved_at, g.closed_at, run.as_of)))) AS ended_at,
    g.is_over_unknown,
    make_timestamptz(epoch_us(g.reopened_at)) AS reopened_at,
    g.acknowledged_by,
    g.copied_stamps,
    g.active_us
FROM begun AS g
CROSS JOIN config.run AS run
JOIN core.vendor_records AS r ON r.source = g.source AND r.external_id = g.record_id
LEFT JOIN core.duplicates AS d ON d.source = g.source AND d.external_id = g.record_id
LEFT JOIN core.flaps AS f ON f.source = g.source AND f.external_id = g.record_id
LEFT JOIN continues AS c ON c.source = g.source AND c.record_id = g.record_id AND c.episode = g.episode
LEFT JOIN core.complete_history AS h ON h.source = g.source
LEFT JOIN config.record_sources AS s ON s.source = g.source
