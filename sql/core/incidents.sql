/*
description = """One row per real incident, and one per later episode of an incident. The records of several tools that are about one incident
are one row, see incident_sources and records: its id, title and address are those of the primary record, and each stamp says which
source it comes from. A merged or duplicate record has no row, but with `[correlation] enabled = false`, when it is marked by
duplicate_of. Where its target is not known here, it has a row with duplicate_of that counts by itself. Non-incidents are kept, marked by
kind. is_counted says which rows figures count. Every stamp has a provenance: api, changelog, field, derived or imputed."""
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
only_incidents_are_counted = "NOT is_counted OR kind = 'incident'"
resolve_minutes_of_counted_only = "resolve_minutes IS NULL OR (is_counted AND resolve_minutes >= 0)"
never_its_own_duplicate = "duplicate_of <> incident_id"
abandoned_means_open = "NOT is_abandoned OR (resolved_at IS NULL AND closed_at IS NULL AND status NOT IN ('resolved', 'closed'))"
later_episodes_name_the_first = "(recurrence_of IS NOT NULL) <= (episode > 1)"
never_its_own_recurrence = "recurrence_of <> incident_id"

[columns]
incident_id = "UUIDv5 of source, external_id and, from the second on, episode, of the primary record. It is the same on every run and machine"
source = "source of the primary record: the name of its section in mttr.toml, with a suffix where a source has several kinds of records"
external_id = "the vendor's immutable id of the primary record"
key = "the id that people see: incident number, issue key, tiny id"
title = "title"
url = "page at the vendor"
kind = "incident, false_alarm, maintenance or test"
severity = "SEV1 (critical outage) to SEV4 (low impact); SEV3 when the record has no known severity"
severity_first = "severity at the start"
severity_max = "worst severity at any time"
severity_source = "where the severity comes from: priority, field, urgency, major_incident, tool, topic, name, default"
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
is_counted = "whether figures count it: of the kind incident, and no duplicate of a record that counts it"
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
recurrence_of = "incident_id of the first episode; NULL for the first, and where both are one incident"
duplicate_of = "incident_id that the record would be counted under if its target were known here: the target was never read or is deleted, so it counts by itself. NULL for others. A merged record whose target is known has no row; with `[correlation] enabled = false` it has one, and this is what it is counted under"
reopen_count = "="
flap_count = "times that the same dedup key came back within the flap time (default 10 minutes)"
ack_count = "="
active_minutes = "minutes in which the incident was not resolved; an open one counts until as_of. NULL where the resolve is before the detection or at an unknown time"
last_event_at = "last event of any of its records, notes included. UTC"
is_abandoned = "open, and neither an event nor a change at the vendor for the configured time (default 7 days) before as_of"
auto_resolved = "resolved by an integration or a timeout, not by a person"
resolution_kind = "human, integration or timeout; NULL while open or when unknown"
service = "affected service; NULL when unknown"
team = "owning team; NULL when unknown"
tags = "labels"
root_cause_category = "category of the root cause"
affected_users = "users affected; NULL when unknown"
revenue_impact = "revenue lost, in the company's currency"
updated_at = "when a record of it last changed at its vendor, merged ones left out. UTC"
is_before_history = "it began before the complete history of its source: it is only here because it was open then or touched later. Downtime and lists of incidents have it; survival statistics, changes, directions, frequency and the trend leave it out"
occurred_source = "source that occurred_at comes from"
detected_source = "source that detected_at comes from"
acknowledged_source = "source that acknowledged_at comes from"
investigating_source = "source that investigating_at comes from"
root_cause_found_source = "source that root_cause_found_at comes from"
mitigated_source = "source that mitigated_at comes from"
resolved_source = "source that resolved_at comes from"
closed_source = "source that closed_at comes from"
*/
-- The rows of primary records, of those that stand alone and, without correlation, of duplicates.
WITH chosen AS (
    SELECT s.*
    FROM core.standalone AS s
    ANTI JOIN (
        SELECT m.record_id
        FROM core.members AS m
        CROSS JOIN config.run AS run
        WHERE m.role = 'member' OR (m.role = 'duplicate' AND run.correlates)
    ) AS elsewhere ON elsewhere.record_id = s.record_id
),
told AS (
    SELECT
        r.record_id AS incident_id, r.source, r.external_id, r.key, r.url, r.kind, r.vendor_status, r.episode, r.reopen_count, r.flap_count, r.ack_count,
        CASE WHEN NOT run.correlates THEN r.duplicate_of_id END AS duplicate_of_id,
        CASE WHEN g.incident_id IS NULL THEN r.title ELSE g.title END AS title,
        CASE WHEN g.incident_id IS NULL THEN r.severity ELSE g.severity END AS severity,
        CASE WHEN g.incident_id IS NULL THEN r.severity_first ELSE g.severity_first END AS severity_first,
        CASE WHEN g.incident_id IS NULL THEN r.severity_max ELSE g.severity_max END AS severity_max,
        CASE WHEN g.incident_id IS NULL THEN r.severity_source ELSE g.severity_source END AS severity_source,
        CASE WHEN g.incident_id IS NULL THEN r.vendor_severity ELSE g.vendor_severity END AS vendor_severity,
        CASE WHEN g.incident_id IS NULL THEN r.status ELSE g.status END AS status,
        CASE WHEN g.incident_id IS NULL THEN r.occurred_at ELSE g.occurred_at END AS occurred_at,
        CASE WHEN g.incident_id IS NULL THEN r.detected_at ELSE g.detected_at END AS detected_at,
        CASE WHEN g.incident_id IS NULL THEN r.acknowledged_at ELSE g.acknowledged_at END AS acknowledged_at,
        CASE WHEN g.incident_id IS NULL THEN r.investigating_at ELSE g.investigating_at END AS investigating_at,
        CASE WHEN g.incident_id IS NULL THEN r.root_cause_found_at ELSE g.root_cause_found_at END AS root_cause_found_at,
        CASE WHEN g.incident_id IS NULL THEN r.mitigated_at ELSE g.mitigated_at END AS mitigated_at,
        CASE WHEN g.incident_id IS NULL THEN r.resolved_at ELSE g.resolved_at END AS resolved_at,
        CASE WHEN g.incident_id IS NULL THEN r.closed_at ELSE g.closed_at END AS closed_at,
        CASE WHEN g.incident_id IS NULL THEN r.first_resolved_at ELSE g.first_resolved_at END AS first_resolved_at,
        CASE WHEN g.incident_id IS NULL THEN r.occurred_provenance ELSE g.occurred_provenance END AS occurred_provenance,
        CASE WHEN g.incident_id IS NULL THEN r.detected_provenance ELSE g.detected_provenance END AS detected_provenance,
        CASE WHEN g.incident_id IS NULL THEN r.acknowledged_provenance ELSE g.acknowledged_provenance END AS acknowledged_provenance,
        CASE WHEN g.incident_id IS NULL THEN r.investigating_provenance ELSE g.investigating_provenance END AS investigating_provenance,
        CASE WHEN g.incident_id IS NULL THEN r.root_cause_found_provenance ELSE g.root_cause_found_provenance END AS root_cause_found_provenance,
        CASE WHEN g.incident_id IS NULL THEN r.mitigated_provenance ELSE g.mitigated_provenance END AS mitigated_provenance,
        CASE WHEN g.incident_id IS NULL THEN r.resolved_provenance ELSE g.resolved_provenance END AS resolved_provenance,
        CASE WHEN g.incident_id IS NULL THEN r.closed_provenance ELSE g.closed_provenance END AS closed_provenance,
        CASE WHEN g.incident_id IS NULL THEN r.active_minutes ELSE g.active_minutes END AS active_minutes,
        CASE WHEN g.incident_id IS NULL THEN r.last_event_at ELSE g.last_event_at END AS last_event_at,
        CASE WHEN g.incident_id IS NULL THEN r.auto_resolved ELSE g.auto_resolved END AS auto_resolved,
        CASE WHEN g.incident_id IS NULL THEN r.resolution_kind ELSE g.resolution_kind END AS resolution_kind,
        CASE WHEN g.incident_id IS NULL THEN r.service ELSE g.service END AS service,
        CASE WHEN g.incident_id IS NULL THEN r.team ELSE g.team END AS team,
        CASE WHEN g.incident_id IS NULL THEN r.tags ELSE g.tags END AS tags,
        CASE WHEN g.incident_id IS NULL THEN r.root_cause_category ELSE g.root_cause_category END AS root_cause_category,
        CASE WHEN g.incident_id IS NULL THEN r.affected_users ELSE g.affected_users END AS affected_users,
        CASE WHEN g.incident_id IS NULL THEN r.revenue_impact ELSE g.revenue_impact END AS revenue_impact,
        CASE WHEN g.incident_id IS NOT NULL THEN g.occurred_source WHEN r.occurred_at IS NOT NULL THEN r.source END AS occurred_source,
        CASE WHEN g.incident_id IS NOT NULL THEN g.detected_source WHEN r.detected_at IS NOT NULL THEN r.source END AS detected_source,
        CASE WHEN g.incident_id IS NOT NULL THEN g.acknowledged_source WHEN r.acknowledged_at IS NOT NULL THEN r.source END AS acknowledged_source,
        CASE WHEN g.incident_id IS NOT NULL THEN g.investigating_source WHEN r.investigating_at IS NOT NULL THEN r.source END AS investigating_source,
        CASE WHEN g.incident_id IS NOT NULL THEN g.root_cause_found_source WHEN r.root_cause_found_at IS NOT NULL THEN r.source END AS root_cause_found_source,
        CASE WHEN g.incident_id IS NOT NULL THEN g.mitigated_source WHEN r.mitigated_at IS NOT NULL THEN r.source END AS mitigated_source,
        CASE WHEN g.incident_id IS NOT NULL THEN g.resolved_source WHEN r.resolved_at IS NOT NULL THEN r.source END AS resolved_source,
        CASE WHEN g.incident_id IS NOT NULL THEN g.closed_source WHEN r.closed_at IS NOT NULL THEN r.source END AS closed_source,
        CASE WHEN g.incident_id IS NULL OR NOT run.correlates THEN r.updated_at ELSE g.updated_at END AS updated_at,
        -- A change at the vendor after as_of says nothing about the time before it.
        CASE
            WHEN g.incident_id IS NOT NULL THEN g.changed_at
            WHEN epoch_us(r.updated_at) <= epoch_us(run.as_of) + 300_000_000 THEN r.updated_at
        END AS changed_at
    FROM chosen AS r
    CROSS JOIN config.run AS run
    LEFT JOIN core.golden AS g ON g.incident_id = r.record_id
),
-- Where the first episode of a record is counted, of the few that have several.
firsts AS (
    SELECT m.record_id, m.incident_id
    FROM core.members AS m
    SEMI JOIN (SELECT incident_uuid(source, external_id, 1) AS record_id FROM core.standalone WHERE episode > 1) AS r ON r.record_id = m.record_id
),
-- Merged into a record that is not here.
unread AS (
    SELECT r.source, r.external_id, incident_uuid(r.source, r.duplicate_of_id, 1) AS incident_id
    FROM core.vendor_records AS r
    CROSS JOIN config.run AS run
    ANTI JOIN core.vendor_records AS t ON t.source = r.source AND t.external_id = r.duplicate_of_id
    WHERE r.duplicate_of_id IS NOT NULL AND run.correlates
),
started AS (
    SELECT *, coalesce(detected_at, least(occurred_at, acknowledged_at, investigating_at, root_cause_found_at, mitigated_at, resolved_at, closed_at))
        AS started_at
    FROM told
)
SELECT
    i.incident_id,
    i.source,
    i.external_id,
    i.key,
    i.title,
    i.url,
    i.kind,
    i.severity,
    i.severity_first,
    i.severity_max,
    i.severity_source,
    i.vendor_severity,
    i.status,
    i.vendor_status,
    i.started_at,
    i.occurred_at,
    i.detected_at,
    i.acknowledged_at,
    i.investigating_at,
    i.root_cause_found_at,
    i.mitigated_at,
    i.resolved_at,
    i.closed_at,
    i.first_resolved_at,
    i.duplicate_of_id IS NULL AND i.kind = 'incident' AS is_counted,
    CASE WHEN i.duplicate_of_id IS NULL AND i.kind = 'incident' AND i.resolved_at >= i.detected_at
        THEN (epoch_us(i.resolved_at) - epoch_us(i.detected_at)) / 6e7 END AS resolve_minutes,
    i.occurred_provenance,
    i.detected_provenance,
    i.acknowledged_provenance,
    i.investigating_provenance,
    i.root_cause_found_provenance,
    i.mitigated_provenance,
    i.resolved_provenance,
    i.closed_provenance,
    i.episode,
    CASE
        WHEN i.episode = 1 THEN NULL
        WHEN run.correlates THEN nullif(coalesce(f.incident_id, i.first_id), i.incident_id)
        ELSE i.first_id
    END AS recurrence_of,
    coalesce(CASE WHEN i.duplicate_of_id IS NOT NULL THEN incident_uuid(i.source, i.duplicate_of_id, 1) END, unread.incident_id) AS duplicate_of,
    i.reopen_count,
    i.flap_count,
    i.ack_count,
    i.active_minutes,
    i.last_event_at,
    i.status NOT IN ('resolved', 'closed') AND i.resolved_at IS NULL AND i.closed_at IS NULL
        AND epoch_us(run.as_of) - run.abandoned_us >= greatest(epoch_us(i.last_event_at), epoch_us(i.changed_at)) AS is_abandoned,
    i.auto_resolved,
    i.resolution_kind,
    i.service,
    i.team,
    i.tags,
    i.root_cause_category,
    i.affected_users,
    i.revenue_impact,
    i.updated_at,
    coalesce(make_timestamp(epoch_us(i.started_at)) < h.complete_since, false) AS is_before_history,
    i.occurred_source,
    i.detected_source,
    i.acknowledged_source,
    i.investigating_source,
    i.root_cause_found_source,
    i.mitigated_source,
    i.resolved_source,
    i.closed_source
FROM (SELECT *, CASE WHEN episode > 1 THEN incident_uuid(source, external_id, 1) END AS first_id FROM started) AS i
CROSS JOIN config.run AS run
LEFT JOIN firsts AS f ON f.record_id = i.first_id
LEFT JOIN unread ON unread.source = i.source AND unread.external_id = i.external_id
LEFT JOIN core.complete_history AS h ON h.source = i.source
ORDER BY i.started_at, i.incident_id
