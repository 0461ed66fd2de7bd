/*
description = """What to know before you rely on the figures: how many rows each finding affects, out of how many. Findings warn; they
never stop a run. coverage_*, ack_rate and owned_* count what is present, all others what is wrong or special. data_quality_status
sums the findings up."""
published = true
not_null = ["dq_check", "n", "total", "status"]
unique = [["dq_check", "source"]]

[columns]
dq_check = "name of the finding"
source = "source that the finding is about, or configuration"
n = "rows that the finding affects"
total = "rows that it could affect"
pct = "100 * n / total; NULL when total is 0"
status = "ok (nothing found), info (worth knowing) or warn (a figure may be wrong because of it)"
meaning = "what the finding means"
examples = "up to five of the words or settings that the finding is about; NULL for findings without examples"
*/
-- All findings of one table are counted in one pass over it. To count a CASE is faster than FILTER.
WITH incident_checks AS MATERIALIZED (
    SELECT source, count(*) AS total, unnest([
            {dq_check: 'coverage_occurred_at', n: count(occurred_at), level: 'share',
                meaning: 'incidents with occurred_at; the detection phase needs it'},
            {dq_check: 'coverage_detected_at', n: count(detected_at), level: 'share',
                meaning: 'incidents with detected_at; every default calculation needs it'},
            {dq_check: 'coverage_acknowledged_at', n: count(acknowledged_at), level: 'share',
                meaning: 'incidents with acknowledged_at; acknowledgment and investigation need it'},
            {dq_check: 'coverage_investigating_at', n: count(investigating_at), level: 'share',
                meaning: 'incidents with investigating_at; only calculations that name it need it'},
            {dq_check: 'coverage_root_cause_found_at', n: count(root_cause_found_at), level: 'share',
                meaning: 'incidents with root_cause_found_at; the lifecycle phase model needs it'},
            {dq_check: 'coverage_mitigated_at', n: count(mitigated_at), level: 'share',
                meaning: 'incidents with mitigated_at; service_restore and the mitigation phase need it'},
            {dq_check: 'coverage_resolved_at', n: count(resolved_at), level: 'share',
                meaning: 'incidents with resolved_at; the others are open, or over at an unknown time'},
            {dq_check: 'coverage_closed_at', n: count(closed_at), level: 'share',
                meaning: 'incidents with closed_at; full_recovery and the closure phase need it'},
            {dq_check: 'ack_rate', n: count(acknowledged_at), level: 'share',
                meaning: 'incidents that somebody acknowledged; a missing acknowledgement is never imputed'},
            {dq_check: 'owned_service', n: count(service), level: 'share', meaning: 'incidents with a service'},
            {dq_check: 'owned_team', n: count(team), level: 'share', meaning: 'incidents with a team'},
            {dq_check: 'owned_both', n: count(CASE WHEN service IS NOT NULL AND team IS NOT NULL THEN 1 END), level: 'share',
                meaning: 'incidents with a service and a team'},
            {dq_check: 'without_service', n: count(CASE WHEN service IS NULL THEN 1 END), level: 'info',
                meaning: 'incidents without a service'},
            {dq_check: 'without_team', n: count(CASE WHEN team IS NULL THEN 1 END), level: 'info',
                meaning: 'incidents without a team'},
            {dq_check: 'auto_resolved', n: count(CASE WHEN auto_resolved THEN 1 END), level: 'info',
                meaning: 'incidents that an integration or a timeout resolved'},
            {dq_check: 'noise', n: count(CASE WHEN auto_resolved AND acknowledged_at IS NULL THEN 1 END), level: 'info',
                meaning: 'incidents that resolved automatically and that nobody acknowledged: candidates for a better alert'},
            {dq_check: 'severity_by_default', n: count(CASE WHEN severity_source = 'default' THEN 1 END), level: 'warn',
                meaning: 'incidents without a known severity, counted as SEV3'},
            {dq_check: 'negative_duration', n: count(CASE WHEN detected_at < occurred_at
                OR least(acknowledged_at, investigating_at) < greatest(occurred_at, detected_at)
                OR root_cause_found_at < up_to_acknowledged
                OR mitigated_at < greatest(up_to_acknowledged, root_cause_found_at)
                OR resolved_at < up_to_mitigated
                OR closed_at < greatest(up_to_mitigated, resolved_at) THEN 1 END), level: 'warn',
                meaning: 'incidents with a stamp before one that it should follow; the duration between the two is not used'}
        ]) AS c
    FROM (
        SELECT *,
            greatest(occurred_at, detected_at, acknowledged_at) AS up_to_acknowledged,
            greatest(up_to_acknowledged, mitigated_at) AS up_to_mitigated -- a cause may be found long after the resolve
        FROM core.incidents
        WHERE is_counted
    )
    GROUP BY source
),
-- The pairs name the sources of their incidents, which all count.
linked AS (
    SELECT source, incident_id FROM mart.suggested_links WHERE reason = 'similar_title'
    UNION
    SELECT other_source, other_incident_id FROM mart.suggested_links WHERE reason = 'similar_title'
),
linked_checks AS (
    SELECT t.source, t.total, {dq_check: 'suggested_links', n: coalesce(l.n, 0), level: 'info',
        meaning: 'incidents that may be recorded twice: another one of the same service, within 10 minutes, has a similar '
            || 'title; see the table suggested_links'} AS c
    FROM (SELECT DISTINCT source, total FROM incident_checks) AS t
    LEFT JOIN (SELECT source, count(*) AS n FROM linked GROUP BY source) AS l ON l.source = t.source
),
-- These count non-incidents too.
row_checks AS (
    SELECT source, count(*) AS total, unnest([
            {dq_check: 'non_incident', n: count(CASE WHEN kind <> 'incident' THEN 1 END), level: 'info',
                meaning: 'false alarms, maintenance and tests: kept, not counted'},
            {dq_check: 'imputed_resolve', n: count(CASE WHEN resolved_provenance = 'imputed' THEN 1 END), level: 'info',
                meaning: 'incidents that were closed without a resolve; the close counts as their resolve'}
        ]) AS c
    FROM core.incidents
    GROUP BY source
    UNION ALL
    SELECT source, count(*), {dq_check: 'merged_duplicates', n: count(duplicate_of_id), level: 'info',
        meaning: 'records that are counted under another record'}
    FROM core.standalone
    WHERE flap_of IS NULL
    GROUP BY source
),
configuration_checks AS (
    SELECT 'unknown_service_in_configuration' AS dq_check, count(CASE WHEN s.service IS NULL THEN 1 END) AS n, count(*) AS total,
        'services that have targets, thresholds or weights but that no incident names, perhaps misspelt' AS meaning
    FROM (
        SELECT service FROM core.targets WHERE service IS NOT NULL
        UNION
        SELECT scope_value FROM core.thresholds WHERE scope = 'service'
        UNION
        SELECT service FROM core.downtime_weights WHERE service IS NOT NULL
    ) AS c
    LEFT JOIN (SELECT DISTINCT service FROM core.incidents) AS s ON s.service = c.service
    UNION ALL
    SELECT 'phase_target_without_effect', count(CASE WHEN k.phase IS NULL THEN 1 END), count(*),
        'targets of phases that the phase model in force does not have'
    FROM config.phase_targets AS t
    CROSS JOIN core.phase_model AS m
    LEFT JOIN config.phases AS k ON k.phase_model = m.phase_model AND k.phase = t.phase
),
findings AS (
    SELECT c.dq_check AS dq_check, source, c.n AS n, total, c.level AS level, c.meaning AS meaning, NULL::VARCHAR[] AS examples
    FROM (FROM incident_checks UNION ALL FROM linked_checks UNION ALL FROM row_checks)
    UNION ALL
    SELECT dq_check, 'configuration', n, total, 'warn', meaning, NULL FROM configuration_checks WHERE total > 0
    UNION ALL
    FROM figures.findings_abandoned
    UNION ALL
    FROM figures.findings_deploys
    UNION ALL
    FROM figures.findings_learning
    UNION ALL
    FROM figures.findings_errors
    UNION ALL
    FROM figures.findings_words
    UNION ALL
    FROM figures.findings_records
    UNION ALL
    FROM figures.findings_texts
    UNION ALL
    FROM figures.findings_names
    UNION ALL
    FROM figures.findings_links
    UNION ALL
    FROM figures.findings_out_of_sight
    UNION ALL
    FROM figures.findings_past
    UNION ALL
    FROM figures.findings_pulls
    UNION ALL
    FROM figures.findings_states
    UNION ALL
    FROM figures.findings_history
    UNION ALL
    FROM figures.findings_impact
    UNION ALL
    FROM figures.findings_outliers
    UNION ALL
    FROM figures.findings_received
)
SELECT
    dq_check,
    source,
    n,
    total,
    100.0 * n / nullif(total, 0) AS pct,
    CASE WHEN level = 'share' THEN 'info' WHEN n = 0 THEN 'ok' ELSE level END AS status,
    meaning,
    -- A record that cannot be read may have no id to show.
    CASE WHEN list_any_value(examples) IS NOT NULL THEN list_filter(examples, lambda e: e IS NOT NULL) END AS examples
FROM findings
ORDER BY dq_check, source
