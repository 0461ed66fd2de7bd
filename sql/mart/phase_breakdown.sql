/*
description = """Where the time goes: every phase of both phase models per variant, scope and window. Counted are the matched
incidents without the outliers of the variant; open ones give the phases they have finished. A negative duration is invalid
and leaves the other phases alone."""
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "phase", "n", "invalid"]
unique = [["calculation_type", "phase_model", "scope", "scope_value", "window_start", "phase"]]

[assert]
no_data_is_null = "(n = 0) = (mean_minutes IS NULL)"
pct_only_where_defined = "phase IN ('detection', 'acknowledgment', 'investigation', 'mitigation') OR pct_of_means IS NULL"

[columns]
calculation_type = "variant whose outliers are left out"
phase_model = "lifecycle or coarse; the one in force is in mttr_stats"
scope = "all, severity, service or team"
scope_value = "the member"
window_start = "NULL = whole history. UTC"
window_end = "NULL = whole history. UTC"
phase = "detection, acknowledgment, investigation, mitigation, resolution (lifecycle only) or closure"
phase_from = "stamp the phase begins with"
phase_to = "stamp it ends with"
n = "incidents with a valid duration of the phase"
mean_minutes = "exact sum / n"
median_minutes = "50th percentile"
total_minutes = "sum"
invalid = "incidents in which the phase ends before it begins"
pct_of_means = "phase mean / sum of the means of the four phases detection to mitigation, in percent; NULL for the others"
share_pct = "share of the pooled minutes of complete cases, closure left out, in percent; adds up to 100"
share_n = "complete cases behind share_pct"
*/
WITH placed AS (
    SELECT p.calculation_type, w.name AS window_name, d.*
    FROM core.population AS p
    JOIN core.phases AS d ON d.incident_id = p.incident_id
    JOIN core.windows AS w
        ON w.window_start IS NULL OR (p.started_us >= epoch_us(w.window_start) AND p.started_us < epoch_us(w.window_end))
    WHERE p.population <> 'outlier'
),
scoped AS (
    SELECT *, 'all' AS scope, 'all' AS scope_value FROM placed
    UNION ALL
    SELECT *, 'severity', severity FROM placed
    UNION ALL
    SELECT *, 'service', service FROM placed
    UNION ALL
    SELECT *, 'team', team FROM placed
),
measured AS (
    SELECT
        calculation_type, scope, scope_value, window_name,
        duration_measures(detection_us) AS detection,
        duration_measures(acknowledgment_us) AS acknowledgment,
        duration_measures(to_cause_us) AS to_cause,
        duration_measures(cause_to_mitigated_us) AS cause_to_mitigated,
        duration_measures(to_mitigated_us) AS to_mitigated,
        duration_measures(mitigated_to_resolved_us) AS mitigated_to_resolved,
        duration_measures(closure_us) AS closure,
        count(*) FILTER (WHERE complete_lifecycle) AS lifecycle_n,
        count(*) FILTER (WHERE complete_coarse) AS coarse_n,
        sum(detection_us) FILTER (WHERE complete_lifecycle) AS lifecycle_detection,
        sum(acknowledgment_us) FILTER (WHERE complete_lifecycle) AS lifecycle_acknowledgment,
        sum(to_cause_us) FILTER (WHERE complete_lifecycle) AS lifecycle_investigation,
        sum(cause_to_mitigated_us) FILTER (WHERE complete_lifecycle) AS lifecycle_mitigation,
        sum(mitigated_to_resolved_us) FILTER (WHERE complete_lifecycle) AS lifecycle_resolution,
        sum(detection_us) FILTER (WHERE complete_coarse) AS coarse_detection,
        sum(acknowledgment_us) FILTER (WHERE complete_coarse) AS coarse_acknowledgment,
        sum(to_mitigated_us) FILTER (WHERE complete_coarse) AS coarse_investigation,
        sum(mitigated_to_resolved_us) FILTER (WHERE complete_coarse) AS coarse_mitigation
    FROM scoped
    GROUP BY calculation_type, scope, scope_value, window_name
),
-- Written out, because a sum over rows adds doubles in any order, and then the last digit differs from run to run.
added AS (
    SELECT
        *,
        coalesce(detection.mean_us, 0) + coalesce(acknowledgment.mean_us, 0) + coalesce(to_cause.mean_us, 0)
            + coalesce(cause_to_mitigated.mean_us, 0) AS lifecycle_means_us,
        coalesce(detection.mean_us, 0) + coalesce(acknowledgment.mean_us, 0) + coalesce(to_mitigated.mean_us, 0)
            + coalesce(mitigated_to_resolved.mean_us, 0) AS coarse_means_us
    FROM measured
),
long AS (
    SELECT
        calculation_type, scope, scope_value, window_name, lifecycle_means_us, coarse_means_us,
        unnest([
            {model: 'lifecycle', place: 1, phase: 'detection', a: 'occurred_at', b: 'detected_at', m: detection,
                pooled: lifecycle_detection, cases: lifecycle_n},
            {model: 'lifecycle', place: 2, phase: 'acknowledgment', a: 'detected_at', b: 'acknowledged_at', m: acknowledgment,
                pooled: lifecycle_acknowledgment, cases: lifecycle_n},
            {model: 'lifecycle', place: 3, phase: 'investigation', a: 'acknowledged_at', b: 'root_cause_found_at', m: to_cause,
                pooled: lifecycle_investigation, cases: lifecycle_n},
            {model: 'lifecycle', place: 4, phase: 'mitigation', a: 'root_cause_found_at', b: 'mitigated_at',
                m: cause_to_mitigated, pooled: lifecycle_mitigation, cases: lifecycle_n},
            {model: 'lifecycle', place: 5, phase: 'resolution', a: 'mitigated_at', b: 'resolved_at', m: mitigated_to_resolved,
                pooled: lifecycle_resolution, cases: lifecycle_n},
            {model: 'lifecycle', place: 6, phase: 'closure', a: 'resolved_at', b: 'closed_at', m: closure,
                pooled: NULL, cases: lifecycle_n},
            {model: 'coarse', place: 1, phase: 'detection', a: 'occurred_at', b: 'detected_at', m: detection,
                pooled: coarse_detection, cases: coarse_n},
            {model: 'coarse', place: 2, phase: 'acknowledgment', a: 'detected_at', b: 'acknowledged_at', m: acknowledgment,
                pooled: coarse_acknowledgment, cases: coarse_n},
            {model: 'coarse', place: 3, phase: 'investigation', a: 'acknowledged_at', b: 'mitigated_at', m: to_mitigated,
                pooled: coarse_investigation, cases: coarse_n},
            {model: 'coarse', place: 4, phase: 'mitigation', a: 'mitigated_at', b: 'resolved_at', m: mitigated_to_resolved,
                pooled: coarse_mitigation, cases: coarse_n},
            {model: 'coarse', place: 6, phase: 'closure', a: 'resolved_at', b: 'closed_at', m: closure,
                pooled: NULL, cases: coarse_n}
        ]) AS p
    FROM added
),
shared AS (
    SELECT
        *,
        CASE p.model WHEN 'lifecycle' THEN lifecycle_means_us ELSE coarse_means_us END AS means_us,
        sum(p.pooled) OVER one_report AS pooled_us
    FROM long
    WINDOW one_report AS (PARTITION BY calculation_type, scope, scope_value, window_name, p.model)
)
SELECT
    s.calculation_type,
    s.p.model AS phase_model,
    s.scope,
    s.scope_value,
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    s.p.phase AS phase,
    s.p.a AS phase_from,
    s.p.b AS phase_to,
    s.p.m.n AS n,
    s.p.m.mean_us / 6e7 AS mean_minutes,
    s.p.m.median_us / 6e7 AS median_minutes,
    s.p.m.total_us::DOUBLE / 6e7 AS total_minutes,
    s.p.m.invalid AS invalid,
    CASE WHEN s.p.place <= 4 THEN 100 * s.p.m.mean_us / nullif(s.means_us, 0) END AS pct_of_means,
    CASE WHEN s.p.place <= 5 THEN 100 * s.p.pooled::DOUBLE / nullif(s.pooled_us, 0)::DOUBLE END AS share_pct,
    CASE WHEN s.p.place <= 5 THEN s.p.cases END AS share_n
FROM shared AS s
JOIN core.windows AS w ON w.name = s.window_name
ORDER BY s.calculation_type, s.p.model DESC, s.scope, s.scope_value, w.window_start NULLS FIRST, s.p.place
