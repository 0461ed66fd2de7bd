/*
description = """Where the time goes: every phase of both phase models per variant, scope and window. The figures count the matched
incidents without the outliers of the variant. Open incidents count in the phases that they have finished. A negative duration is
invalid; the other phases of that incident still count."""
published = true
like = "mart.mttr_stats"
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "phase", "n", "invalid", "low_n", "as_of"]
unique = [["calculation_type", "phase_model", "scope", "scope_value", "window_start", "phase"]]

[assert]
no_data_is_null = "(n = 0) = (mean_minutes IS NULL)"
shares_are_of_resolved_incidents = "from_occurred_share_n <= share_n AND share_n <= incidents_with_recovery"
counts_nest = "incidents_with_full_data <= incidents_with_recovery AND incidents_with_recovery <= total_incidents"
pct_only_where_defined = "phase IN ('detection', 'acknowledgment', 'investigation', 'mitigation') OR pct_of_means IS NULL"

[columns]
calculation_type = "variant whose outliers are left out"
phase_model = "lifecycle or coarse; mttr_stats has the one in force"
scope = "="
scope_value = "="
window_start = "="
window_end = "="
phase = "detection, acknowledgment, investigation, mitigation, resolution (lifecycle only) or closure"
phase_from = "stamp that starts the phase"
phase_to = "stamp that ends the phase"
n = "incidents with a valid duration of the phase"
mean_minutes = "exact sum / n"
median_minutes = "50th percentile"
total_minutes = "sum"
invalid = "incidents in which the phase ends before it begins"
pct_of_means = "100 * mean of the phase / sum of the means of the four phases detection to mitigation; NULL for the other phases"
share_pct = "share of the phase in the minutes from detected to resolved of all complete cases, in percent; adds up to 100. NULL for detection and closure, which lie outside"
share_n = "complete cases behind share_pct: incidents with every stamp of the model from detected to resolved, in order"
coverage_pct = "100 * share_n / incidents_with_recovery: the part of the resolved incidents that share_pct speaks of"
from_occurred_share_pct = "the same as share_pct, from occurred to resolved: detection counts too. Many sources never say when the impact began"
from_occurred_share_n = "complete cases behind from_occurred_share_pct: those behind share_pct that also have occurred, before detected"
from_occurred_coverage_pct = "100 * from_occurred_share_n / incidents_with_recovery"
total_incidents = "incidents of the scope and window: matched, without the outliers of the variant"
incidents_with_recovery = "those that are resolved"
incidents_with_full_data = "those with every stamp of the model from occurred to resolved, in order: from_occurred_share_n"
low_n = "fewer than 5 incidents with a valid duration of the phase"
as_of = "="
*/
WITH timed AS (
    SELECT d.*, o.outlier_of, w.name AS period
    FROM figures.phases AS d
    LEFT JOIN figures.outliers AS o ON o.incident_no = d.incident_no
    LEFT JOIN core.windows AS w -- the two periods do not overlap
        ON d.started_us >= epoch_us(w.window_start) AND d.started_us < epoch_us(w.window_end)
),
-- Sums are made once for small groups of incidents. Those of a variant, window and scope are sums of these: variants differ only in
-- a few outliers.
by_group AS (
    SELECT
        severity_id, service_id, team_id, period, outlier_of, is_from_occurred,
        phase_sums(detection_us, complete_lifecycle, complete_coarse) AS detection,
        phase_sums(acknowledgment_us, complete_lifecycle, complete_coarse) AS acknowledgment,
        phase_sums(to_cause_us, complete_lifecycle, false) AS to_cause,
        phase_sums(cause_to_mitigated_us, complete_lifecycle, false) AS cause_to_mitigated,
        phase_sums(to_mitigated_us, false, complete_coarse) AS to_mitigated,
        phase_sums(mitigated_to_resolved_us, complete_lifecycle, complete_coarse) AS mitigated_to_resolved,
        phase_sums(closure_us, false, false) AS closure,
        count(*) AS incidents,
        count(CASE WHEN is_recovered THEN 1 END) AS recovered,
        count(CASE WHEN complete_lifecycle THEN 1 END) AS lifecycle_n,
        count(CASE WHEN complete_coarse THEN 1 END) AS coarse_n
    FROM timed
    GROUP BY severity_id, service_id, team_id, period, outlier_of, is_from_occurred
),
by_member AS (
    SELECT
        v.calculation_type, w.window_id, g.* EXCLUDE (severity_id, service_id, team_id, period, outlier_of),
        unnest([0, g.severity_id, g.service_id, g.team_id]) AS member_id
    FROM by_group AS g
    JOIN config.variants AS v ON NOT coalesce(list_contains(g.outlier_of, v.calculation_type), false)
    JOIN core.windows AS w ON w.window_start IS NULL OR w.name = g.period
),
summed AS (
    SELECT
        calculation_type, member_id, window_id,
        added_phase_sums(detection, is_from_occurred) AS detection,
        added_phase_sums(acknowledgment, is_from_occurred) AS acknowledgment,
        added_phase_sums(to_cause, is_from_occurred) AS to_cause,
        added_phase_sums(cause_to_mitigated, is_from_occurred) AS cause_to_mitigated,
        added_phase_sums(to_mitigated, is_from_occurred) AS to_mitigated,
        added_phase_sums(mitigated_to_resolved, is_from_occurred) AS mitigated_to_resolved,
        added_phase_sums(closure, is_from_occurred) AS closure,
        sum(incidents)::BIGINT AS incidents,
        sum(recovered)::BIGINT AS recovered,
        sum(lifecycle_n)::BIGINT AS lifecycle_n,
        sum(coarse_n)::BIGINT AS coarse_n,
        sum(CASE WHEN is_from_occurred THEN lifecycle_n ELSE 0 END)::BIGINT AS lifecycle_occurred_n,
        sum(CASE WHEN is_from_occurred THEN coarse_n ELSE 0 END)::BIGINT AS coarse_occurred_n
    FROM by_member
    GROUP BY calculation_type, member_id, window_id
),
filled AS (
    -- Every member has rows in every window, of zeros and NULLs where there is nothing to count.
    SELECT
        s.* EXCLUDE (calculation_type, member_id, window_id),
        v.calculation_type, member.scope, member.scope_value, w.window_id, m AS median,
        -- Written out: a sum over rows adds floating-point numbers in any order, so its last digit differs from run to run.
        coalesce(detection.mean_us, 0) + coalesce(acknowledgment.mean_us, 0) + coalesce(to_cause.mean_us, 0)
            + coalesce(cause_to_mitigated.mean_us, 0) AS lifecycle_means_us,
        coalesce(detection.mean_us, 0) + coalesce(acknowledgment.mean_us, 0) + coalesce(to_mitigated.mean_us, 0)
            + coalesce(mitigated_to_resolved.mean_us, 0) AS coarse_means_us
    FROM core.scope_members AS member
    CROSS JOIN core.windows AS w
    CROSS JOIN config.variants AS v
    LEFT JOIN summed AS s ON s.calculation_type = v.calculation_type AND s.member_id = member.member_id AND s.window_id = w.window_id
    LEFT JOIN figures.phase_medians AS m
        ON m.calculation_type = v.calculation_type AND m.member_id = member.member_id AND m.window_id = w.window_id
),
-- The phases of both models are these spans between two of the eight stamps.
spans AS (
    SELECT
        * EXCLUDE (detection, acknowledgment, to_cause, cause_to_mitigated, to_mitigated, mitigated_to_resolved, closure, median),
        unnest([
            {start_place: 1, end_place: 2, sums: detection, median_us: median.detection_us},
            {start_place: 2, end_place: 3, sums: acknowledgment, median_us: median.acknowledgment_us},
            {start_place: 3, end_place: 5, sums: to_cause, median_us: median.to_cause_us},
            {start_place: 5, end_place: 6, sums: cause_to_mitigated, median_us: median.cause_to_mitigated_us},
            {start_place: 3, end_place: 6, sums: to_mitigated, median_us: median.to_mitigated_us},
            {start_place: 6, end_place: 7, sums: mitigated_to_resolved, median_us: median.mitigated_to_resolved_us},
            {start_place: 7, end_place: 8, sums: closure, median_us: median.closure_us}
        ]) AS span
    FROM filled
),
phases AS (
    SELECT
        s.*, k.phase_model, k.phase, k.place,
        CASE k.phase_model WHEN 'lifecycle' THEN s.lifecycle_means_us ELSE s.coarse_means_us END AS means_us,
        CASE k.phase_model WHEN 'lifecycle' THEN s.span.sums.lifecycle_us ELSE s.span.sums.coarse_us END AS complete_us,
        coalesce(CASE k.phase_model WHEN 'lifecycle' THEN s.lifecycle_n ELSE s.coarse_n END, 0) AS complete_n,
        CASE k.phase_model WHEN 'lifecycle' THEN s.span.sums.lifecycle_occurred_us ELSE s.span.sums.coarse_occurred_us END
            AS occurred_us,
        coalesce(CASE k.phase_model WHEN 'lifecycle' THEN s.lifecycle_occurred_n ELSE s.coarse_occurred_n END, 0) AS occurred_n,
        k.place BETWEEN 2 AND 5 AS is_from_detected,
        k.place <= 5 AS is_shared
    FROM spans AS s
    JOIN config.phases AS k ON k.start_place = s.span.start_place AND k.end_place = s.span.end_place
)
SELECT
    p.calculation_type,
    p.phase_model,
    p.scope,
    p.scope_value,
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    p.phase,
    stamp_names()[p.span.start_place] AS phase_from,
    stamp_names()[p.span.end_place] AS phase_to,
    coalesce(p.span.sums.n, 0) AS n,
    p.span.sums.mean_us / 6e7 AS mean_minutes,
    p.span.median_us / 6e7 AS median_minutes,
    p.span.sums.total_us::DOUBLE / 6e7 AS total_minutes,
    coalesce(p.span.sums.invalid, 0) AS invalid,
    CASE WHEN p.place <= 4 THEN 100 * p.span.sums.mean_us / nullif(p.means_us, 0) END AS pct_of_means,
    CASE WHEN p.is_from_detected
        THEN 100 * p.complete_us::DOUBLE / nullif(sum(CASE WHEN p.is_from_detected THEN p.complete_us END) OVER one_report, 0)::DOUBLE
    END AS share_pct,
    CASE WHEN p.is_from_detected THEN p.complete_n END AS share_n,
    CASE WHEN p.is_from_detected THEN 100 * p.complete_n / nullif(p.recovered, 0) END AS coverage_pct,
    CASE WHEN p.is_shared
        THEN 100 * p.occurred_us::DOUBLE / nullif(sum(CASE WHEN p.is_shared THEN p.occurred_us END) OVER one_report, 0)::DOUBLE
    END AS from_occurred_share_pct,
    CASE WHEN p.is_shared THEN p.occurred_n END AS from_occurred_share_n,
    CASE WHEN p.is_shared THEN 100 * p.occurred_n / nullif(p.recovered, 0) END AS from_occurred_coverage_pct,
    coalesce(p.incidents, 0) AS total_incidents,
    coalesce(p.recovered, 0) AS incidents_with_recovery,
    p.occurred_n AS incidents_with_full_data,
    coalesce(p.span.sums.n, 0) < 5 AS low_n,
    make_timestamptz(epoch_us(w.as_of)) AS as_of
FROM phases AS p
JOIN core.windows AS w ON w.window_id = p.window_id
WINDOW one_report AS (PARTITION BY p.calculation_type, p.scope, p.scope_value, p.window_id, p.phase_model)
ORDER BY p.calculation_type, p.phase_model DESC, p.scope, p.scope_value, w.window_start NULLS FIRST, p.place
