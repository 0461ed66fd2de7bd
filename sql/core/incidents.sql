/*
description = """One row per real incident, and one per later episode of an incident. Duplicates and non-incidents are kept, marked by
duplicate_of and kind; no figure counts them. An incident has the earliest detection and acknowledgement of itself and its duplicates.
Every stamp has a provenance: api, changelog, field, derived or imputed."""
published = true
like = "core.episodes"
not_null = ["incident_id", "source", "external_id", "kind", "is_counted", "severity", "severity_source", "status", "episode", "reopen_count", "auto_resolved", "started_at", "is_before_history",
    "last_event_at", "is_abandoned"]
unique = [["incident_id"]]

[assert]
known_severity = "severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')"
known_kind = "kind IN ('incident', 'false_alarm', 'maintenance', 'test')"
known_status = "status IN ('detected', 'acknowledged', 'investigating', 'mitigated', 'resolved', 'closed')"
resolved_has_its_status = "resolved_at IS NULL OR status IN ('resolved', 'closed')"
counted_is_no_duplicate = "is_counted = (duplicate_of IS NULL AND kind = 'incident')"
resolve_minutes_of_counted_only = "resolve_minutes IS NULL OR (is_counted AND resolve_minutes >= 0)"
never_its_own_duplicate = "duplicate_of <> incident_id"
abandoned_means_open = "NOT is_abandoned OR (resolved_at IS NULL AND closed_at IS NULL AND status NOT IN ('resolved', 'closed'))"
later_episodes_name_the_first = "(episode > 1) = (recurrence_of IS NOT NULL)"

[columns]
incident_id = "UUIDv5 of source, external_id and, from the second on, episode. It is the same on every run and machine"
source = "source of the record: the name of its section in mttr.toml, with a suffix where a source has several kinds of records"
external_id = "the vendor's immutable id"
key = "the id that people see: incident number, issue key, tiny id"
title = "title"
url = "page at the vendor"
kind = "incident, false_alarm, maintenance or test"
severity = "SEV1 (critical outage) to SEV4 (low impact); SEV3 when the record has no known severity"
severity_first = "severity at the start"
severity_max = "worst severity at any time"
severity_source = "where the severity comes from: priority, field, urgency, major_incident, default"
vendor_severity = "the vendor's word for the severity"
status = "detected, acknowledged, investigating, mitigated, resolved or closed. Resolved or closed without resolved_at: the record says that it is over, and nothing says since when"
vendor_status = "the vendor's word for the status"
started_at = "detected_at, else the first stamp. It decides the window that the incident belongs to. UTC"
occurred_at = "impact began. UTC"
detected_at = "first detection, by a machine or a person. UTC"
acknowledged_at = "first acknowledgement by a responder; NULL without one, never imputed. UTC"
investigating_at = "work on the cause began. UTC"
root_cause_found_at = "the cause was found. UTC"
mitigated_at = "users had service again. UTC"
resolved_at = "last resolve that no reopen undid; NULL while open, and where its time is unknown. UTC"
closed_at = "follow-up finished, record closed. UTC"
first_resolved_at = "first resolve, even if a reopen undid it; a close without a resolve counts as one. UTC"
is_counted = "whether figures count it: no duplicate, and of the kind incident"
resolve_minutes = "from detected_at to resolved_at: the duration of the variant basic, outliers included. NULL for rows that do not count, without one of the two stamps, and where the resolve is before the detection"
occurred_provenance = "where occurred_at comes from"
detected_provenance = "where detected_at comes from"
acknowledged_provenance = "where acknowledged_at comes from"
investigating_provenance = "where investigating_at comes from"
root_cause_found_provenance = "where root_cause_found_at comes from"
mitigated_provenance = "where mitigated_at comes from"
resolved_provenance = "where resolved_at comes from"
closed_provenance = "where closed_at comes from"
episode = "1, or higher for a reopen later than the configured time (default 24 h) after the resolve"
recurrence_of = "incident_id of the first episode; NULL for the first"
duplicate_of = "incident_id that a merged or duplicate record is counted under; NULL for others"
reopen_count = "="
flap_count = "times that the same dedup key came back within the flap time (default 10 minutes)"
ack_count = "="
active_minutes = "minutes in which the incident was not resolved; an open one counts until as_of. NULL where the resolve is before the detection or at an unknown time"
last_event_at = "last event of the incident or of a duplicate of it, notes included. UTC"
is_abandoned = "open, and neither an event nor a change at the vendor for the configured time (default 7 days) before as_of"
auto_resolved = "resolved by an integration or a timeout, not by a person"
resolution_kind = "human, integration or timeout; NULL while open or when unknown"
service = "affected service; NULL when unknown"
team = "owning team; NULL when unknown"
tags = "labels"
root_cause_category = "category of the root cause"
affected_users = "users affected; NULL when unknown"
revenue_impact = "revenue lost, in the company's currency"
updated_at = "when the record last changed at the vendor. UTC"
is_before_history = "it began before the complete history of its source: it is only here because it was open then or touched later. Downtime and lists of incidents have it; survival statistics, changes, directions, frequency and the trend leave it out"
*/
WITH members AS (
    SELECT
        d.source,
        d.root_id,
        min(e.detected_at) AS detected_at,
        min(e.acknowledged_at) AS acknowledged_at,
        max(e.acknowledged_at) AS acknowledged_latest,
        max(e.last_event_at) AS last_event_at,
        max(r.updated_at) FILTER (WHERE epoch_us(r.updated_at) <= epoch_us(run.as_of) + 300_000_000) AS updated_at,
        (min({happened_at: e.detected_at, provenance: e.detected_provenance})
            FILTER (WHERE e.detected_at IS NOT NULL)).provenance AS detected_provenance,
        (min({happened_at: e.acknowledged_at, provenance: e.acknowledged_provenance})
            FILTER (WHERE e.acknowledged_at IS NOT NULL)).provenance AS acknowledged_provenance
    FROM core.duplicates AS d
    JOIN core.episodes AS e ON e.source = d.source AND e.record_id = d.external_id AND e.episode = 1
    JOIN core.records AS r ON r.source = d.source AND r.external_id = d.external_id
    CROSS JOIN config.run AS run
    GROUP BY d.source, d.root_id
),
-- Of a record with several episodes the last one has its status, and of records that flapped all of them together.
continued AS (
    SELECT source, record_id, max(episode) AS last_episode FROM core.episodes WHERE episode > 1 GROUP BY source, record_id
),
flapped AS (
    SELECT f.source, f.root_id, bool_and(coalesce(r.status_event IN ('resolved', 'closed'), false)) AS is_over
    FROM core.flaps AS f
    JOIN core.records AS r ON r.source = f.source AND r.external_id = f.external_id
    GROUP BY f.source, f.root_id
),
-- Without a time of its last change, a record that ends after as_of may have got its status then.
ends_later AS (
    SELECT DISTINCT source, external_id FROM core.events WHERE set_aside IN ('future', 'after as_of') AND event_type IN ('resolved', 'closed')
),
over AS (
    SELECT e.source, e.record_id, e.episode, r.status_event AS status
    FROM core.episodes AS e
    JOIN core.records AS r ON r.source = e.source AND r.external_id = e.record_id
    LEFT JOIN continued AS c ON c.source = e.source AND c.record_id = e.record_id
    LEFT JOIN flapped AS f ON f.source = e.source AND f.root_id = e.record_id
    LEFT JOIN ends_later AS l ON l.source = e.source AND l.external_id = e.record_id
    WHERE e.resolved_at IS NULL AND r.status_event IN ('resolved', 'closed') AND e.episode = coalesce(c.last_episode, 1)
        AND coalesce(f.is_over, true) AND (r.updated_at IS NOT NULL OR l.external_id IS NULL)
),
gathered AS (
    SELECT
        e.*,
        least(e.detected_at, m.detected_at) AS detected_at_any,
        least(e.acknowledged_at, m.acknowledged_at) AS acknowledged_at_any,
        greatest(e.last_event_at, m.last_event_at) AS last_event_at_any,
        m.updated_at AS updated_at_any,
        least(e.occurred_at, e.acknowledged_at, m.acknowledged_at, e.investigating_at, e.root_cause_found_at, e.mitigated_at,
            e.resolved_at, e.closed_at) AS first_at,
        CASE WHEN m.detected_at < e.detected_at OR e.detected_at IS NULL THEN m.detected_provenance END AS detected_via,
        CASE WHEN m.acknowledged_at < e.acknowledged_at OR e.acknowledged_at IS NULL THEN m.acknowledged_provenance END
            AS acknowledged_via,
        -- An acknowledgement of a duplicate acknowledges this incident; after a reopen, only one since then counts.
        over.status IS NOT NULL AS is_over_unknown,
        CASE WHEN over.status IS NOT NULL THEN over.status
            WHEN e.status = 'detected' AND m.acknowledged_latest >= coalesce(e.reopened_at, m.acknowledged_latest)
            THEN 'acknowledged' ELSE e.status END AS status_any
    FROM core.episodes AS e
    LEFT JOIN members AS m ON m.source = e.source AND m.root_id = e.record_id AND e.episode = 1
    LEFT JOIN over ON over.source = e.source AND over.record_id = e.record_id AND over.episode = e.episode
)
SELECT
    incident_uuid(g.source, g.record_id, g.episode) AS incident_id,
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
    make_timestamptz(epoch_us(coalesce(g.detected_at_any, g.first_at))) AS started_at,
    make_timestamptz(epoch_us(g.occurred_at)) AS occurred_at,
    make_timestamptz(epoch_us(g.detected_at_any)) AS detected_at,
    make_timestamptz(epoch_us(g.acknowledged_at_any)) AS acknowledged_at,
    make_timestamptz(epoch_us(g.investigating_at)) AS investigating_at,
    make_timestamptz(epoch_us(g.root_cause_found_at)) AS root_cause_found_at,
    make_timestamptz(epoch_us(g.mitigated_at)) AS mitigated_at,
    make_timestamptz(epoch_us(g.resolved_at)) AS resolved_at,
    make_timestamptz(epoch_us(g.closed_at)) AS closed_at,
    make_timestamptz(epoch_us(g.first_resolved_at)) AS first_resolved_at,
    d.root_id IS NULL AND r.kind = 'incident' AS is_counted,
    CASE WHEN d.root_id IS NULL AND r.kind = 'incident' AND g.resolved_at >= g.detected_at_any
        THEN (epoch_us(g.resolved_at) - epoch_us(g.detected_at_any)) / 6e7 END AS resolve_minutes,
    g.occurred_provenance,
    coalesce(g.detected_via, g.detected_provenance) AS detected_provenance,
    coalesce(g.acknowledged_via, g.acknowledged_provenance) AS acknowledged_provenance,
    g.investigating_provenance,
    g.root_cause_found_provenance,
    g.mitigated_provenance,
    g.resolved_provenance,
    g.closed_provenance,
    g.episode,
    CASE WHEN g.episode > 1 THEN incident_uuid(g.source, g.record_id, 1) END AS recurrence_of,
    CASE WHEN d.root_id IS NOT NULL THEN incident_uuid(g.source, d.root_id, 1) END AS duplicate_of,
    g.reopen_count,
    g.flap_count,
    g.ack_count,
    CASE WHEN NOT g.is_over_unknown THEN nullif(greatest(g.active_us + epoch_us(g.detected_at) - epoch_us(g.detected_at_any), -1), -1) / 6e7 END
        AS active_minutes,
    make_timestamptz(epoch_us(g.last_event_at_any)) AS last_event_at,
    -- A change at the vendor after as_of says nothing about the time before it.
    g.status_any NOT IN ('resolved', 'closed') AND g.resolved_at IS NULL AND g.closed_at IS NULL
        AND epoch_us(run.as_of) - run.abandoned_us >= greatest(
            epoch_us(g.last_event_at_any), epoch_us(g.updated_at_any),
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
    coalesce(coalesce(g.detected_at_any, g.first_at) < h.complete_since, false) AS is_before_history
FROM gathered AS g
CROSS JOIN config.run AS run
JOIN core.records AS r ON r.source = g.source AND r.external_id = g.record_id
LEFT JOIN core.duplicates AS d ON d.source = g.source AND d.external_id = g.record_id
LEFT JOIN core.complete_history AS h ON h.source = g.source
ORDER BY started_at, incident_id
