/*
description = """One row per vendor record and episode, as it stands alone, with the incident that it is counted under. A record that came back
within the flap time has a row of its own, and its history is in the row of the first record too."""
published = true
like = "core.incidents"
not_null = ["record_id", "incident_id", "source", "external_id", "episode", "role", "kind", "severity", "severity_source", "status", "started_at",
    "last_event_at", "is_abandoned"]
unique = [["record_id"]]

[assert]
incidents_without_links_keep_their_id = "role <> 'primary' OR record_id = incident_id"

[columns]
record_id = "the incident_id that it has when it stands alone"
incident_id = "incident that it is counted under"
source = "source of the record"
external_id = "the vendor's immutable id of the record"
episode = "="
role = "primary (the incident has its id), member, or duplicate (merged at the vendor)"
link_reason = "the most reliable link that makes it a part of the incident; NULL for the primary record"
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
*/
SELECT
    s.record_id,
    l.incident_id,
    s.source,
    s.external_id,
    s.episode,
    l.role,
    l.link_reason,
    s.key,
    s.title,
    s.url,
    s.kind,
    s.severity,
    s.severity_first,
    s.severity_max,
    s.severity_source,
    s.vendor_severity,
    s.status,
    s.vendor_status,
    s.started_at,
    s.occurred_at,
    s.detected_at,
    s.acknowledged_at,
    s.investigating_at,
    s.root_cause_found_at,
    s.mitigated_at,
    s.resolved_at,
    s.closed_at,
    s.first_resolved_at,
    s.occurred_provenance,
    s.detected_provenance,
    s.acknowledged_provenance,
    s.investigating_provenance,
    s.root_cause_found_provenance,
    s.mitigated_provenance,
    s.resolved_provenance,
    s.closed_provenance,
    s.reopen_count,
    s.flap_count,
    s.ack_count,
    s.active_minutes,
    s.last_event_at,
    s.is_abandoned,
    s.auto_resolved,
    s.resolution_kind,
    s.service,
    s.team,
    s.tags,
    s.root_cause_category,
    s.affected_users,
    s.revenue_impact,
    s.updated_at,
    s.is_before_history
FROM core.standalone AS s
JOIN core.incident_sources AS l ON l.record_id = s.record_id
ORDER BY s.started_at, s.record_id
