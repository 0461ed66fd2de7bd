/*
description = """The durations between neighbouring stamps of every incident that counts, in microseconds; negative ones are
kept here and counted as invalid later. `complete_*` marks incidents whose boundaries from occurred to resolved are all there
and never decrease: only those enter the pooled shares."""
view = true

[columns]
incident_no = "incident, as in matched"
severity_id = "member_id of its severity in scope_members"
service_id = "member_id of its service"
team_id = "member_id of its team"
started_us = "microseconds since 1970 of the instant that decides the window"
detection_us = "occurred to detected"
acknowledgment_us = "detected to acknowledged"
to_cause_us = "acknowledged to root cause found"
cause_to_mitigated_us = "root cause found to mitigated"
to_mitigated_us = "acknowledged to mitigated"
mitigated_to_resolved_us = "mitigated to resolved"
closure_us = "resolved to closed"
is_recovered = "it is resolved"
complete_lifecycle = "all boundaries of the lifecycle model in order"
complete_coarse = "all boundaries of the coarse model in order"
*/
SELECT
    incident_no,
    severity_id,
    service_id,
    team_id,
    started_us,
    detected_us - occurred_us AS detection_us,
    acknowledged_us - detected_us AS acknowledgment_us,
    root_cause_found_us - acknowledged_us AS to_cause_us,
    mitigated_us - root_cause_found_us AS cause_to_mitigated_us,
    mitigated_us - acknowledged_us AS to_mitigated_us,
    resolved_us - mitigated_us AS mitigated_to_resolved_us,
    closed_us - resolved_us AS closure_us,
    resolved_us IS NOT NULL AS is_recovered,
    coalesce(occurred_us <= detected_us AND detected_us <= acknowledged_us AND acknowledged_us <= root_cause_found_us
        AND root_cause_found_us <= mitigated_us AND mitigated_us <= resolved_us, false) AS complete_lifecycle,
    coalesce(occurred_us <= detected_us AND detected_us <= acknowledged_us AND acknowledged_us <= mitigated_us
        AND mitigated_us <= resolved_us, false) AS complete_coarse
FROM facts.matched
