/*
description = """One row per real incident: the episodes of every record with what the record says about itself. Stamps and
durations are exact (UTC, microseconds). A duplicate keeps its row, marked, and lends its target the earliest detection and
acknowledgement of the members."""
not_null = ["incident_id", "source", "external_id", "kind", "severity", "episode", "started_at"]
unique = [["incident_id"]]

[columns]
incident_id = "UUIDv5 of source, external_id and, from the second on, episode"
source = "source"
external_id = "vendor record"
episode = "1, or higher after a late reopen"
recurrence_of = "incident_id of the first episode"
duplicate_of = "incident_id it is counted under"
key = "the id shown to people"
title = "title"
url = "page at the vendor"
kind = "incident, false_alarm, maintenance or test"
severity = "SEV1..SEV4"
severity_first = "severity it began with"
severity_max = "worst severity it ever had"
severity_source = "what the severity was taken from"
status = "detected, acknowledged, investigating, mitigated, resolved or closed"
started_at = "detected_at, else the first stamp: the instant that decides the window an incident belongs to"
occurred_at = "impact began"
detected_at = "first detection, of any member"
acknowledged_at = "first acknowledgement, of any member"
investigating_at = "work on the cause began"
root_cause_found_at = "the cause is known"
mitigated_at = "users have service again"
resolved_at = "the last resolve"
closed_at = "record closed"
first_resolved_at = "the first resolve"
occurred_provenance = "where the stamp comes from"
detected_provenance = "where the stamp comes from"
acknowledged_provenance = "where the stamp comes from"
investigating_provenance = "where the stamp comes from"
root_cause_found_provenance = "where the stamp comes from"
mitigated_provenance = "where the stamp comes from"
resolved_provenance = "where the stamp comes from"
closed_provenance = "where the stamp comes from"
reopen_count = "reopens within the episode"
flap_count = "times the same dedup key came back within the flap time"
ack_count = "acknowledgements"
active_us = "microseconds not resolved; NULL where a stamp stands before the one it follows"
auto_resolved = "resolved by an integration or a timeout"
resolution_kind = "human, integration or timeout"
service = "service, NULL when unknown"
team = "team, NULL when unknown"
tags = "labels"
root_cause_category = "category of the cause"
affected_users = "users affected"
revenue_impact = "money lost"
vendor_severity = "the vendor's word"
vendor_status = "status as sent"
updated_at = "when the record changed last"
*/
WITH members AS (
    SELECT
        d.source,
        d.root_id,
        min(e.detected_at) AS detected_at,
        min(e.acknowledged_at) AS acknowledged_at,
        max(e.acknowledged_at) AS acknowledged_latest,
        (min({happened_at: e.detected_at, provenance: e.detected_provenance})
            FILTER (WHERE e.detected_at IS NOT NULL)).provenance AS detected_provenance,
        (min({happened_at: e.acknowledged_at, provenance: e.acknowledged_provenance})
            FILTER (WHERE e.acknowledged_at IS NOT NULL)).provenance AS acknowledged_provenance
    FROM core.duplicates AS d
    JOIN core.episodes AS e ON e.source = d.source AND e.record_id = d.external_id AND e.episode = 1
    GROUP BY d.source, d.root_id
),
gathered AS (
    SELECT
        e.*,
        least(e.detected_at, m.detected_at) AS detected_at_any,
        least(e.acknowledged_at, m.acknowledged_at) AS acknowledged_at_any,
        CASE WHEN m.detected_at < e.detected_at OR e.detected_at IS NULL THEN m.detected_provenance END AS detected_via,
        CASE WHEN m.acknowledged_at < e.acknowledged_at OR e.acknowledged_at IS NULL THEN m.acknowledged_provenance END
            AS acknowledged_via,
        -- Somebody who took a member took this; after a reopen only what happened since then counts.
        CASE WHEN e.status = 'detected' AND m.acknowledged_latest >= coalesce(e.reopened_at, m.acknowledged_latest)
            THEN 'acknowledged' ELSE e.status END AS status_any
    FROM core.episodes AS e
    LEFT JOIN members AS m ON m.source = e.source AND m.root_id = e.record_id AND e.episode = 1
)
SELECT
    incident_uuid(g.source, g.record_id, g.episode) AS incident_id,
    g.source,
    g.record_id AS external_id,
    g.episode,
    CASE WHEN g.episode > 1 THEN incident_uuid(g.source, g.record_id, 1) END AS recurrence_of,
    CASE WHEN d.root_id IS NOT NULL THEN incident_uuid(g.source, d.root_id, 1) END AS duplicate_of,
    r.key,
    r.title,
    r.url,
    r.kind,
    r.severity,
    coalesce(g.severity_first, r.severity) AS severity_first,
    least(r.severity, g.severity_worst) AS severity_max,
    r.severity_source,
    g.status_any AS status,
    coalesce(g.detected_at_any, least(g.occurred_at, g.acknowledged_at_any, g.investigating_at, g.root_cause_found_at,
        g.mitigated_at, g.resolved_at, g.closed_at)) AS started_at,
    g.occurred_at,
    g.detected_at_any AS detected_at,
    g.acknowledged_at_any AS acknowledged_at,
    g.investigating_at,
    g.root_cause_found_at,
    g.mitigated_at,
    g.resolved_at,
    g.closed_at,
    g.first_resolved_at,
    g.occurred_provenance,
    coalesce(g.detected_via, g.detected_provenance) AS detected_provenance,
    coalesce(g.acknowledged_via, g.acknowledged_provenance) AS acknowledged_provenance,
    g.investigating_provenance,
    g.root_cause_found_provenance,
    g.mitigated_provenance,
    g.resolved_provenance,
    g.closed_provenance,
    g.reopen_count,
    g.flap_count,
    g.ack_count,
    nullif(greatest(g.active_us + epoch_us(g.detected_at) - epoch_us(g.detected_at_any), -1), -1) AS active_us,
    coalesce(g.resolved_at IS NOT NULL AND coalesce(r.resolution_kind, g.resolution_kind) IN ('integration', 'timeout'), false)
        AS auto_resolved,
    CASE WHEN g.resolved_at IS NOT NULL THEN coalesce(r.resolution_kind, g.resolution_kind) END AS resolution_kind,
    r.service,
    r.team,
    r.tags,
    r.root_cause_category,
    r.affected_users,
    r.revenue_impact,
    r.vendor_severity,
    r.vendor_status,
    r.updated_at
FROM gathered AS g
JOIN core.records AS r ON r.source = g.source AND r.external_id = g.record_id
LEFT JOIN core.duplicates AS d ON d.source = g.source AND d.external_id = g.record_id
ORDER BY started_at, incident_id
