/*
description = """One row per real incident, and per later episode of one. Duplicates and non-incidents are kept and marked by
duplicate_of and kind; no figure counts them. Every stamp has a provenance: api, changelog, field, derived or imputed."""
view = true
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
    make_timestamptz(epoch_us(i.started_at)) AS started_at,
    make_timestamptz(epoch_us(i.occurred_at)) AS occurred_at,
    make_timestamptz(epoch_us(i.detected_at)) AS detected_at,
    make_timestamptz(epoch_us(i.acknowledged_at)) AS acknowledged_at,
    make_timestamptz(epoch_us(i.investigating_at)) AS investigating_at,
    make_timestamptz(epoch_us(i.root_cause_found_at)) AS root_cause_found_at,
    make_timestamptz(epoch_us(i.mitigated_at)) AS mitigated_at,
    make_timestamptz(epoch_us(i.resolved_at)) AS resolved_at,
    make_timestamptz(epoch_us(i.closed_at)) AS closed_at,
    make_timestamptz(epoch_us(i.first_resolved_at)) AS first_resolved_at,
    i.occurred_provenance,
    i.detected_provenance,
    i.acknowledged_provenance,
    i.investigating_provenance,
    i.root_cause_found_provenance,
    i.mitigated_provenance,
    i.resolved_provenance,
    i.closed_provenance,
    i.episode,
    i.recurrence_of,
    i.duplicate_of,
    i.reopen_count,
    i.flap_count,
    i.ack_count,
    i.active_us / 6e7 AS active_minutes,
    coalesce(i.auto_resolved, false) AS auto_resolved,
    i.resolution_kind,
    i.service,
    i.team,
    i.tags,
    i.root_cause_category,
    i.affected_users,
    i.revenue_impact,
    make_timestamptz(epoch_us(i.updated_at)) AS updated_at
FROM core.incidents AS i
