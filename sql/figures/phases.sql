/*
description = """The durations between neighbouring stamps of every incident that counts, in microseconds. Negative durations are
kept here; the tables that use them count them as invalid. An acknowledgement later than the resolve gives no acknowledgment phase:
its duration is the negative time from that acknowledgement to the resolve."""
view = true
like = "facts.matched"

[columns]
incident_no = "incident, as in facts.matched"
severity_id = "member_id of its severity in core.scope_members"
service_id = "member_id of its service"
team_id = "member_id of its team"
started_us = "instant that decides the window, in microseconds since 1970"
detection_us = "occurred to detected"
acknowledgment_us = "detected to acknowledged; negative where the incident was resolved before"
to_cause_us = "acknowledged to root cause found"
cause_to_mitigated_us = "root cause found to mitigated"
to_mitigated_us = "acknowledged to mitigated"
mitigated_to_resolved_us = "mitigated to resolved"
closure_us = "resolved to closed"
investigation_us = "investigation in the phase model in force: acknowledged to root cause found (lifecycle) or to mitigated (coarse)"
mitigation_us = "mitigation in the phase model in force: root cause found to mitigated (lifecycle) or mitigated to resolved (coarse)"
resolution_us = "resolution in the phase model in force: mitigated to resolved (lifecycle); NULL in the coarse model, which has no such phase"
is_paged = "="
is_recovered = "it is resolved"
is_before_history = "it began before the complete history of its source"
complete_lifecycle = "every stamp that bounds a phase of the lifecycle model from detected to resolved is there, in order"
complete_coarse = "the same for the coarse model"
is_from_occurred = "occurred and detected are there, in order: with one of the two before, it is complete from occurred to resolved"
*/
SELECT
    i.incident_no,
    i.severity_id,
    i.service_id,
    i.team_id,
    i.started_us,
    i.detected_us - i.occurred_us AS detection_us,
    CASE WHEN i.detected_us IS NULL THEN NULL WHEN i.acknowledged_us > i.resolved_us THEN i.resolved_us - i.acknowledged_us
        ELSE i.acknowledged_us - i.detected_us END AS acknowledgment_us,
    i.root_cause_found_us - i.acknowledged_us AS to_cause_us,
    i.mitigated_us - i.root_cause_found_us AS cause_to_mitigated_us,
    i.mitigated_us - i.acknowledged_us AS to_mitigated_us,
    i.resolved_us - i.mitigated_us AS mitigated_to_resolved_us,
    i.closed_us - i.resolved_us AS closure_us,
    CASE WHEN m.phase_model = 'lifecycle' THEN to_cause_us ELSE to_mitigated_us END AS investigation_us,
    CASE WHEN m.phase_model = 'lifecycle' THEN cause_to_mitigated_us ELSE mitigated_to_resolved_us END AS mitigation_us,
    CASE WHEN m.phase_model = 'lifecycle' THEN mitigated_to_resolved_us END AS resolution_us,
    i.is_paged,
    i.resolved_us IS NOT NULL AS is_recovered,
    i.is_before_history,
    coalesce(i.detected_us <= i.acknowledged_us AND i.acknowledged_us <= i.root_cause_found_us
        AND i.root_cause_found_us <= i.mitigated_us AND i.mitigated_us <= i.resolved_us, false) AS complete_lifecycle,
    coalesce(i.detected_us <= i.acknowledged_us AND i.acknowledged_us <= i.mitigated_us
        AND i.mitigated_us <= i.resolved_us, false) AS complete_coarse,
    coalesce(i.occurred_us <= i.detected_us, false) AS is_from_occurred
FROM facts.matched AS i
CROSS JOIN core.phase_model AS m
