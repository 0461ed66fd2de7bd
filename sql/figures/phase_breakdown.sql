/*
description = """Where the time goes: every phase of both phase models per variant, scope and window. Counted are the matched
incidents without the outliers of the variant; open ones give the phases they have finished. A negative duration is invalid
and leaves the other phases alone."""
published = true
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "phase", "n", "invalid", "low_n", "as_of"]
unique = [["calculation_type", "phase_model", "scope", "scope_value", "window_start", "phase"]]

[assert]
no_data_is_null = "(n = 0) = (mean_minutes IS NULL)"
counts_nest = "incidents_with_full_data <= incidents_with_recovery AND incidents_with_recovery <= total_incidents"
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
total_incidents = "incidents of the scope and window: matched, without the outliers of the variant"
incidents_with_recovery = "those that are resolved"
incidents_with_full_data = "those with every boundary of the model from occurred to resolved, in order"
low_n = "fewer than 5 incidents with a valid duration of the phase"
as_of = "clock of the run. UTC"
*/
WITH timed AS (
    SELECT d.* EXCLUDE (incident_no), o.outlier_of, w.name AS period
    FROM figures.phases AS d
    LEFT JOIN figures.outliers AS o ON o.incident_no = d.incident_no
    LEFT JOIN core.windows AS w -- the periods do not overlap
        ON d.started_us >= epoch_us(w.window_start) AND d.started_us < epoch_us(w.window_end)
),
-- What adds up is added up once for all variants, which differ only in a handful of outliers, and for all scopes. CASE, because
-- FILTER takes half as long again.
fine AS (
    SELECT
        d.severity_id, d.service_id, d.team_id, d.period, d.outlier_of,
        duration_sums(d.detection_us) AS detection,
        duration_sums(d.acknowledgment_us) AS acknowledgment,
        duration_sums(d.to_cause_us) AS to_cause,
        duration_sums(d.cause_to_mitigated_us) AS cause_to_mitigated,
        duration_sums(d.to_mitigated_us) AS to_mitigated,
        duration_sums(d.mitigated_to_resolved_us) AS mitigated_to_resolved,
        duration_sums(d.closure_us) AS closure,
        count(*) AS incidents,
        count(CASE WHEN d.is_recovered THEN 1 END) AS recovered,
        count(CASE WHEN d.complete_lifecycle THEN 1 END) AS lifecycle_n,
        count(CASE WHEN d.complete_coarse THEN 1 END) AS coarse_n,
        sum(CASE WHEN d.complete_lifecycle THEN d.detection_us END) AS lifecycle_detection,
        sum(CASE WHEN d.complete_lifecycle THEN d.acknowledgment_us END) AS lifecycle_acknowledgment,
        sum(CASE WHEN d.complete_lifecycle THEN d.to_cause_us END) AS lifecycle_investigation,
        sum(CASE WHEN d.complete_lifecycle THEN d.cause_to_mitigated_us END) AS lifecycle_mitigation,
        sum(CASE WHEN d.complete_lifecycle THEN d.mitigated_to_resolved_us END) AS lifecycle_resolution,
        sum(CASE WHEN d.complete_coarse THEN d.detection_us END) AS coarse_detection,
        sum(CASE WHEN d.complete_coarse THEN d.acknowledgment_us END) AS coarse_acknowledgment,
        sum(CASE WHEN d.complete_coarse THEN d.to_mitigated_us END) AS coarse_investigation,
        sum(CASE WHEN d.complete_coarse THEN d.mitigated_to_resolved_us END) AS coarse_mitigation
    FROM timed AS d
    GROUP BY d.severity_id, d.service_id, d.team_id, d.period, d.outlier_of
),
reports AS (
    SELECT v.calculation_type, w.name AS window_name, f.*
    FROM fine AS f
    JOIN config.variants AS v ON NOT coalesce(list_contains(f.outlier_of, v.calculation_type), false)
    JOIN core.windows AS w ON w.window_start IS NULL OR w.name = f.period
),
scoped AS (
    SELECT *, unnest([0, severity_id, service_id, team_id]) AS member_id FROM reports
),
summed AS (
    SELECT
        calculation_type, member_id, window_name,
        added_up(detection) AS detection,
        added_up(acknowledgment) AS acknowledgment,
        added_up(to_cause) AS to_cause,
        added_up(cause_to_mitigated) AS cause_to_mitigated,
        added_up(to_mitigated) AS to_mitigated,
        added_up(mitigated_to_resolved) AS mitigated_to_resolved,
        added_up(closure) AS closure,
        sum(incidents)::BIGINT AS incidents,
        sum(recovered)::BIGINT AS recovered,
        sum(lifecycle_n)::BIGINT AS lifecycle_n,
        sum(coarse_n)::BIGINT AS coarse_n,
        sum(lifecycle_detection)::HUGEINT AS lifecycle_detection,
        sum(lifecycle_acknowledgment)::HUGEINT AS lifecycle_acknowledgment,
        sum(lifecycle_investigation)::HUGEINT AS lifecycle_investigation,
        sum(lifecycle_mitigation)::HUGEINT AS lifecycle_mitigation,
        sum(lifecycle_resolution)::HUGEINT AS lifecycle_resolution,
        sum(coarse_detection)::HUGEINT AS coarse_detection,
        sum(coarse_acknowledgment)::HUGEINT AS coarse_acknowledgment,
        sum(coarse_investigation)::HUGEINT AS coarse_investigation,
        sum(coarse_mitigation)::HUGEINT AS coarse_mitigation
    FROM scoped
    GROUP BY calculation_type, member_id, window_name
),
measured AS (
    -- Every member has its rows in every window, of zeros and NULLs where there is nothing to count.
    SELECT s.* EXCLUDE (calculation_type, member_id, window_name), v.calculation_type, member.scope, member.scope_value,
        w.name AS window_name, m AS median
    FROM core.scope_members AS member
    CROSS JOIN core.windows AS w
    CROSS JOIN config.variants AS v
    LEFT JOIN summed AS s ON s.calculation_type = v.calculation_type AND s.member_id = member.member_id AND s.window_name = w.name
    LEFT JOIN figures.phase_medians AS m
        ON m.calculation_type = v.calculation_type AND m.member_id = member.member_id AND m.window_id = w.window_id
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
        calculation_type, scope, scope_value, window_name, incidents, recovered, lifecycle_means_us, coarse_means_us,
        unnest([
            {model: 'lifecycle', place: 1, phase: 'detection', a: 'occurred_at', b: 'detected_at', m: detection, median_us: median.detection_us,
                pooled: lifecycle_detection, cases: lifecycle_n},
            {model: 'lifecycle', place: 2, phase: 'acknowledgment', a: 'detected_at', b: 'acknowledged_at', m: acknowledgment, median_us: median.acknowledgment_us,
                pooled: lifecycle_acknowledgment, cases: lifecycle_n},
            {model: 'lifecycle', place: 3, phase: 'investigation', a: 'acknowledged_at', b: 'root_cause_found_at', m: to_cause, median_us: median.to_cause_us,
                pooled: lifecycle_investigation, cases: lifecycle_n},
            {model: 'lifecycle', place: 4, phase: 'mitigation', a: 'root_cause_found_at', b: 'mitigated_at',
                m: cause_to_mitigated, median_us: median.cause_to_mitigated_us, pooled: lifecycle_mitigation, cases: lifecycle_n},
            {model: 'lifecycle', place: 5, phase: 'resolution', a: 'mitigated_at', b: 'resolved_at', m: mitigated_to_resolved, median_us: median.mitigated_to_resolved_us,
                pooled: lifecycle_resolution, cases: lifecycle_n},
            {model: 'lifecycle', place: 6, phase: 'closure', a: 'resolved_at', b: 'closed_at', m: closure, median_us: median.closure_us,
                pooled: NULL, cases: lifecycle_n},
            {model: 'coarse', place: 1, phase: 'detection', a: 'occurred_at', b: 'detected_at', m: detection, median_us: median.detection_us,
                pooled: coarse_detection, cases: coarse_n},
            {model: 'coarse', place: 2, phase: 'acknowledgment', a: 'detected_at', b: 'acknowledged_at', m: acknowledgment, median_us: median.acknowledgment_us,
                pooled: coarse_acknowledgment, cases: coarse_n},
            {model: 'coarse', place: 3, phase: 'investigation', a: 'acknowledged_at', b: 'mitigated_at', m: to_mitigated, median_us: median.to_mitigated_us,
                pooled: coarse_investigation, cases: coarse_n},
            {model: 'coarse', place: 4, phase: 'mitigation', a: 'mitigated_at', b: 'resolved_at', m: mitigated_to_resolved, median_us: median.mitigated_to_resolved_us,
                pooled: coarse_mitigation, cases: coarse_n},
            {model: 'coarse', place: 6, phase: 'closure', a: 'resolved_at', b: 'closed_at', m: closure, median_us: median.closure_us,
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
    coalesce(s.p.m.n, 0) AS n,
    s.p.m.mean_us / 6e7 AS mean_minutes,
    s.p.median_us / 6e7 AS median_minutes,
    s.p.m.total_us::DOUBLE / 6e7 AS total_minutes,
    coalesce(s.p.m.invalid, 0) AS invalid,
    CASE WHEN s.p.place <= 4 THEN 100 * s.p.m.mean_us / nullif(s.means_us, 0) END AS pct_of_means,
    CASE WHEN s.p.place <= 5 THEN 100 * s.p.pooled::DOUBLE / nullif(s.pooled_us, 0)::DOUBLE END AS share_pct,
    CASE WHEN s.p.place <= 5 THEN coalesce(s.p.cases, 0) END AS share_n,
    coalesce(s.incidents, 0) AS total_incidents,
    coalesce(s.recovered, 0) AS incidents_with_recovery,
    coalesce(s.p.cases, 0) AS incidents_with_full_data,
    coalesce(s.p.m.n, 0) < 5 AS low_n,
    make_timestamptz(epoch_us(w.as_of)) AS as_of
FROM shared AS s
JOIN core.windows AS w ON w.name = s.window_name
ORDER BY s.calculation_type, s.p.model DESC, s.scope, s.scope_value, w.window_start NULLS FIRST, s.p.place
