/*
description = """One row per real incident, and per later episode of one. Duplicates and non-incidents are kept and marked by
duplicate_of and kind; no figure counts them. A duplicate lends the one it is counted under the earliest detection and
acknowledgement of the members. Every stamp has a provenance: api, changelog, field, derived or imputed."""
published = true
not_null = ["incident_id", "source", "external_id", "kind", "severity", "severity_source", "status", "episode", "reopen_count", "auto_resolved", "started_at"]
unique = [["incident_id"]]

[assert]
known_severity = "severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')"
known_kind = "kind IN ('incident', 'false_alarm', 'maintenance', 'test')"
known_status = "status IN ('detected', 'acknowledged', 'investigating', 'mitigated', 'resolved', 'closed')"
resolved_status_has_a_stamp = "status NOT IN ('resolved', 'closed') OR resolved_at IS NOT NULL"
never_its_own_duplicate = "duplicate_of <> incident_id"
later_episodes_name_the_first = "(episode > 1) = (recurrence_of IS NOT NULL)"

[columns]
incident_id = "UUIDv5 of source, external_id and, from the second on, episode: the same on every run and machine"
source = "pagerduty, opsgenie (alerts), opsgenie_incident, jsm, jira, alertmanager or custom"
external_id = "the vendor's immutable id"
key = "the id shown to people: incident number, issue key, tiny id"
title = "title"
url = "page at the vendor"
kind = "incident, false_alarm, maintenance or test"
severity = "SEV1 (critical outage) to SEV4 (low impact); SEV3 when nothing says it"
severity_first = "severity it began with"
severity_max = "worst severity it ever had"
severity_source = "what the severity was taken from: priority, field, urgency, major_incident, default"
vendor_severity = "the vendor's word for the severity"
status = "detected, acknowledged, investigating, mitigated, resolved or closed"
vendor_status = "the vendor's word for the status"
started_at = "detected_at, else the first stamp: decides the window the incident belongs to. UTC"
occurred_at = "impact began. UTC"
detected_at = "first machine or human detection. UTC"
acknowledged_at = "first acknowledgement by a responder. UTC; NULL when nobody acknowledged, never imputed"
investigating_at = "work on the cause began. UTC"
root_cause_found_at = "the cause is known. UTC"
mitigated_at = "users have service again. UTC"
resolved_at = "the last resolve that was not taken back. UTC; NULL while open"
closed_at = "follow-up done, record closed. UTC"
first_resolved_at = "the first resolve, also one that was taken back. UTC"
occurred_provenance = "where occurred_at comes from"
detected_provenance = "where detected_at comes from"
acknowledged_provenance = "where acknowledged_at comes from"
investigating_provenance = "where investigating_at comes from"
root_cause_found_provenance = "where root_cause_found_at comes from"
mitigated_provenance = "where mitigated_at comes from"
resolved_provenance = "where resolved_at comes from"
closed_provenance = "where closed_at comes from"
episode = "1, or higher for a reopen later than the configured time (default 24 h) after the resolve"
recurrence_of = "incident_id of the first episode"
duplicate_of = "incident_id under which a merged or duplicate record is counted"
reopen_count = "reopens within the episode"
flap_count = "times the same dedup key came back within the flap time (default 10 minutes)"
ack_count = "acknowledgements"
active_minutes = "minutes in which it was not resolved; an open one counts until as_of. NULL where the resolve stands before the detection"
auto_resolved = "resolved by an integration or a timeout, not by a person"
resolution_kind = "human, integration or timeout; NULL while open or when not said"
service = "service; NULL when unknown"
team = "owning team; NULL when unknown"
tags = "labels"
root_cause_category = "category of the cause"
affected_users = "users affected"
revenue_impact = "money lost, in the company's currency"
updated_at = "when the record changed last at the vendor. UTC"
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
        least(e.occurred_at, e.acknowledged_at, m.acknowledged_at, e.investigating_at, e.root_cause_found_at, e.mitigated_at,
            e.resolved_at, e.closed_at) AS first_at,
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
    nullif(greatest(g.active_us + epoch_us(g.detected_at) - epoch_us(g.detected_at_any), -1), -1) / 6e7 AS active_minutes,
    coalesce(g.resolved_at IS NOT NULL AND coalesce(r.resolution_kind, g.resolution_kind) IN ('integration', 'timeout'), false)
        AS auto_resolved,
    CASE WHEN g.resolved_at IS NOT NULL THEN coalesce(r.resolution_kind, g.resolution_kind) END AS resolution_kind,
    r.service,
    r.team,
    r.tags,
    r.root_cause_category,
    r.affected_users,
    r.revenue_impact,
    make_timestamptz(epoch_us(r.updated_at)) AS updated_at
FROM gathered AS g
JOIN core.records AS r ON r.source = g.source AND r.external_id = g.record_id
LEFT JOIN core.duplicates AS d ON d.source = g.source AND d.external_id = g.record_id
ORDER BY started_at, incident_id
