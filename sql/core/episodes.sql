/*
description = """One row per record and episode, those of flaps by themselves included, with its stamps, folded from the timeline. occurred, detected, acknowledged, investigating,
root_cause_found and mitigated are the first stamps of their kind. resolved and closed are the last that no reopen undid. A stamp
given as a field takes precedence over the timeline. Where a record was closed without a resolve, resolved is imputed from the close.
Nothing else is imputed."""
not_null = ["source", "record_id", "episode", "status", "reopen_count", "flap_count", "ack_count"]
unique = [["source", "record_id", "episode"]]

[columns]
source = "source"
record_id = "record that the incident is counted under; of a flap by itself, that flap"
episode = "1, or higher after a late reopen"
status = "detected, acknowledged, investigating, mitigated, resolved or closed, by its stamps alone"
occurred_at = "impact began"
detected_at = "first detection; in a later episode, the reopen that began it"
acknowledged_at = "first acknowledgement"
investigating_at = "work on the cause began"
root_cause_found_at = "the cause was found"
mitigated_at = "users had service again"
resolved_at = "last resolve; NULL while open"
closed_at = "record closed"
occurred_provenance = "where occurred_at comes from: api, changelog, field, derived or imputed"
detected_provenance = "the same for detected_at"
acknowledged_provenance = "the same for acknowledged_at"
investigating_provenance = "the same for investigating_at"
root_cause_found_provenance = "the same for root_cause_found_at"
mitigated_provenance = "the same for mitigated_at"
resolved_provenance = "the same for resolved_at"
closed_provenance = "the same for closed_at"
first_resolved_at = "first resolve, even if a reopen undid it; the close of a period that was closed without a resolve counts as one"
reopened_at = "last reopen within the episode, flaps included; NULL without one"
reopen_count = "reopens within the episode, flaps not included"
flap_count = "times that the same dedup key came back within the flap time"
ack_count = "acknowledgements"
acknowledged_by = "human, integration or timeout: who or what made the first acknowledgement; NULL without one or when unknown"
copied_stamps = "which stamps an integration copied from another tool, a bit each in the order of the stamps: occurred 1, detected 2, acknowledged 4 .. closed 128"
last_event_at = "last event of any kind, notes included"
active_us = "microseconds in which the incident was not resolved; an open one counts until as_of"
resolution_kind = "human, integration or timeout: who or what made the resolve that counts"
severity_first = "severity before the first change; NULL when it never changed"
severity_worst = "worst severity of any change; NULL when it never changed"
*/
WITH stamps AS (
    SELECT *, packed(happened_at, provenance, actor_kind, is_copied) AS stamp, provenance = 'field' AS is_field
    FROM core.timeline
),
folded AS (
    SELECT
        source,
        record_id,
        episode,
        first_stamp('occurred', event_type, stamp, is_field) AS occurred,
        min(stamp) FILTER (WHERE event_type = 'detected' AND is_field) AS detected_field,
        min(stamp) FILTER (WHERE event_type = 'detected') AS detected_first,
        first_stamp('acknowledged', event_type, stamp, is_field) AS acknowledged,
        first_stamp('investigating', event_type, stamp, is_field) AS investigating,
        first_stamp('root_cause_found', event_type, stamp, is_field) AS root_cause_found,
        first_stamp('mitigated', event_type, stamp, is_field) AS mitigated,
        last_stamp('resolved', event_type, stamp, is_field, is_undone) AS resolved,
        last_stamp('closed', event_type, stamp, is_field, is_undone) AS closed,
        max(stamp) FILTER (WHERE event_type = 'resolved' AND NOT is_undone AND NOT is_field) AS resolved_event,
        min(stamp) FILTER (WHERE event_type = 'resolved' OR is_only_close) AS resolved_first,
        min(stamp) FILTER (WHERE event_type = 'reopened') AS reopened_first,
        max(happened_at) FILTER (WHERE is_reopen) AS reopened_last,
        max(happened_at) FILTER (WHERE event_type = 'acknowledged') AS acknowledged_latest,
        max(happened_at) FILTER (WHERE event_type IN ('investigating', 'root_cause_found')) AS investigating_latest,
        max(happened_at) FILTER (WHERE event_type = 'mitigated') AS mitigated_latest,
        max(happened_at) AS last_event_at,
        count(*) FILTER (WHERE is_reopen AND NOT is_flap) AS reopen_count,
        count(*) FILTER (WHERE is_flap) AS flap_count,
        count(*) FILTER (WHERE event_type = 'acknowledged' AND NOT is_field) AS ack_events,
        count(*) FILTER (WHERE event_type = 'acknowledged' AND is_field) AS ack_fields,
        sum(epoch_us(happened_at)) FILTER (WHERE ends_stretch) AS stretch_ends_us,
        sum(epoch_us(happened_at)) FILTER (WHERE is_reopen) AS stretch_starts_us,
        count(*) FILTER (WHERE ends_stretch) AS stretches_ended,
        min(CASE WHEN severity_from IS NOT NULL THEN strftime(happened_at, '%Y%m%d%H%M%S.%f') || severity_from END)[-4:]
            AS severity_first,
        least(min(severity_from), min(severity_to)) AS severity_worst
    FROM stamps
    GROUP BY source, record_id, episode
),
stamped AS (
    SELECT
        *,
        coalesce(detected_field, CASE WHEN episode = 1 THEN detected_first END) AS detected,
        packed_at(occurred) AS occurred_at,
        packed_at(coalesce(detected, CASE WHEN episode > 1 THEN reopened_first END)) AS detected_at,
        packed_at(acknowledged) AS acknowledged_at,
        packed_at(investigating) AS investigating_at,
        packed_at(root_cause_found) AS root_cause_found_at,
        packed_at(mitigated) AS mitigated_at,
        packed_at(coalesce(resolved, closed)) AS resolved_at,
        packed_at(closed) AS closed_at
    FROM folded
)
SELECT
    s.source,
    s.record_id,
    s.episode,
    -- After a reopen, only events since then decide the status.
    CASE
        WHEN s.closed_at IS NOT NULL THEN 'closed'
        WHEN s.resolved_at IS NOT NULL THEN 'resolved'
        WHEN s.mitigated_at IS NOT NULL AND (s.reopened_last IS NULL OR s.mitigated_latest >= s.reopened_last) THEN 'mitigated'
        WHEN (s.investigating_at IS NOT NULL OR s.root_cause_found_at IS NOT NULL)
            AND (s.reopened_last IS NULL OR s.investigating_latest >= s.reopened_last) THEN 'investigating'
        WHEN s.acknowledged_at IS NOT NULL AND (s.reopened_last IS NULL OR s.acknowledged_latest >= s.reopened_last)
            THEN 'acknowledged'
        ELSE 'detected'
    END AS status,
    s.occurred_at,
    s.detected_at,
    s.acknowledged_at,
    s.investigating_at,
    s.root_cause_found_at,
    s.mitigated_at,
    s.resolved_at,
    s.closed_at,
    packed_provenance(s.occurred) AS occurred_provenance,
    CASE WHEN s.detected IS NOT NULL THEN packed_provenance(s.detected) WHEN s.detected_at IS NOT NULL THEN 'derived' END
        AS detected_provenance,
    packed_provenance(s.acknowledged) AS acknowledged_provenance,
    packed_provenance(s.investigating) AS investigating_provenance,
    packed_provenance(s.root_cause_found) AS root_cause_found_provenance,
    packed_provenance(s.mitigated) AS mitigated_provenance,
    CASE WHEN s.resolved IS NOT NULL THEN packed_provenance(s.resolved) WHEN s.closed IS NOT NULL THEN 'imputed' END
        AS resolved_provenance,
    packed_provenance(s.closed) AS closed_provenance,
    -- A field may say that it closed before any event did.
    least(packed_at(s.resolved_first), s.resolved_at) AS first_resolved_at,
    s.reopened_last AS reopened_at,
    s.reopen_count::INTEGER AS reopen_count,
    s.flap_count::INTEGER AS flap_count,
    greatest(s.ack_events, least(s.ack_fields, 1))::INTEGER AS ack_count,
    packed_actor_kind(s.acknowledged) AS acknowledged_by,
    (packed_is_copied(s.occurred)::INTEGER + packed_is_copied(s.detected)::INTEGER * 2 + packed_is_copied(s.acknowledged)::INTEGER * 4
        + packed_is_copied(s.investigating)::INTEGER * 8 + packed_is_copied(s.root_cause_found)::INTEGER * 16
        + packed_is_copied(s.mitigated)::INTEGER * 32 + packed_is_copied(coalesce(s.resolved, s.closed))::INTEGER * 64
        + packed_is_copied(s.closed)::INTEGER * 128)::UTINYINT AS copied_stamps,
    s.last_event_at,
    CASE
        WHEN s.reopened_last IS NULL
            THEN epoch_us(coalesce(s.resolved_at, run.as_of)) - epoch_us(s.detected_at)
        ELSE coalesce(s.stretch_ends_us, 0)
            + CASE WHEN s.stretches_ended <= s.reopen_count + s.flap_count THEN epoch_us(run.as_of) ELSE 0 END
            - s.stretch_starts_us - epoch_us(s.detected_at)
    END::BIGINT AS active_us,
    packed_actor_kind(coalesce(s.resolved_event, s.resolved)) AS resolution_kind,
    s.severity_first,
    s.severity_worst
FROM stamped AS s
CROSS JOIN config.run AS run
-- A record without any stamp (only notes, or only ignored events) is no incident yet; data_quality counts it.
WHERE coalesce(s.occurred_at, s.detected_at, s.acknowledged_at, s.investigating_at, s.root_cause_found_at, s.mitigated_at,
    s.resolved_at, s.closed_at) IS NOT NULL
