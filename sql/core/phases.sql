/*
description = """The durations between neighbouring stamps of every incident that counts, in microseconds; negative ones are
kept here and counted as invalid later. `complete_*` marks incidents whose boundaries from occurred to resolved are all there
and never decrease: only those enter the pooled shares."""
not_null = ["incident_id", "severity", "service", "team", "started_us"]
unique = [["incident_id"]]

[columns]
incident_id = "incident"
severity = "SEV1..SEV4"
service = "service, unknown when there is none"
team = "team, unknown when there is none"
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
    incident_id,
    severity,
    coalesce(service, 'unknown') AS service,
    coalesce(team, 'unknown') AS team,
    epoch_us(started_at) AS started_us,
    epoch_us(detected_at) - epoch_us(occurred_at) AS detection_us,
    epoch_us(acknowledged_at) - epoch_us(detected_at) AS acknowledgment_us,
    epoch_us(root_cause_found_at) - epoch_us(acknowledged_at) AS to_cause_us,
    epoch_us(mitigated_at) - epoch_us(root_cause_found_at) AS cause_to_mitigated_us,
    epoch_us(mitigated_at) - epoch_us(acknowledged_at) AS to_mitigated_us,
    epoch_us(resolved_at) - epoch_us(mitigated_at) AS mitigated_to_resolved_us,
    epoch_us(closed_at) - epoch_us(resolved_at) AS closure_us,
    resolved_at IS NOT NULL AS is_recovered,
    coalesce(occurred_at <= detected_at AND detected_at <= acknowledged_at AND acknowledged_at <= root_cause_found_at
        AND root_cause_found_at <= mitigated_at AND mitigated_at <= resolved_at, false) AS complete_lifecycle,
    coalesce(occurred_at <= detected_at AND detected_at <= acknowledged_at AND acknowledged_at <= mitigated_at
        AND mitigated_at <= resolved_at, false) AS complete_coarse
FROM core.incidents
WHERE duplicate_of IS NULL AND kind = 'incident'
