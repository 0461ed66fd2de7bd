/*
description = "The trend as it is published, for all incidents and per severity. A window without incidents has zero counts and NULLs."
view = true
like = "figures.survival"
not_null = ["interval", "alignment", "phase_model", "window_start", "window_end", "is_partial", "immature", "calculation_type", "scope", "scope_value", "incident_count", "analyzed_count", "open_count", "outlier_count", "n_before_history"]
unique = [["interval", "alignment", "calculation_type", "scope_value", "window_start"]]

[assert]
ordered = "window_start < window_end AND window_end <= as_of"
no_data_is_null = "(analyzed_count = 0) = (mttr IS NULL)"
counts_add_up = "incident_count = analyzed_count + open_count + outlier_count + invalid_count + missing_count"

[columns]
interval = "day, week or month"
alignment = "calendar or rolling"
phase_model = "phase model in force: lifecycle or coarse"
window_start = "first instant of started_at that counts. UTC"
window_end = "first instant after the window. UTC"
is_partial = "cut off by the span of 90 days: shorter than its interval"
immature = "an incident of the window is still open: its figures will change"
calculation_type = "variant"
scope = "all in trend, severity in trend_by_severity"
scope_value = "all, or a severity that has an incident"
mttr = "mean minutes: exact sum / n, n = analyzed_count"
median = "median minutes"
p90 = "90th percentile, minutes"
mttd = "mean minutes of the detection phase"
mtta = "mean minutes of the acknowledgment phase"
mtti = "mean minutes of the investigation phase"
mttm = "mean minutes of the mitigation phase"
mttd_n = "incidents behind mttd; outliers of the variant are left out of all phases"
mtta_n = "incidents behind mtta"
mtti_n = "incidents behind mtti"
mttm_n = "incidents behind mttm"
incident_count = "matched incidents that started in the window, without those of n_before_history"
analyzed_count = "those with a duration that statistics use"
open_count = "those still open: no stamp at or after the end of the variant"
outlier_count = "those longer than the outlier limit"
outlier_minutes_share = "minutes of the outliers / minutes of analysed incidents and outliers, 0 to 1: the part that mean and percentiles leave out; NULL without minutes"
invalid_count = "those that end before they start"
missing_count = "those without the start of the variant, or without its end although a later stamp exists"
n_before_history = "further incidents of the window that no figure of the row counts: they began before the complete history of their source"
n_events = "="
n_open = "="
low_n = "="
km_median = "="
km_median_low = "="
km_median_high = "="
km_median_text = "="
km_p90 = "="
km_p90_low = "="
km_p90_high = "="
rmst_minutes = "="
rmst_low = "="
rmst_high = "="
is_rmst_bound = "="
longest_minutes = "="
as_of = "clock of the run. UTC"
*/
WITH left_out AS (
    SELECT i.member_id, w.window_id, count(*) AS n
    FROM (SELECT unnest([0, severity_id]) AS member_id, started_us FROM facts.matched WHERE is_before_history) AS i
    JOIN core.trend_windows AS w ON i.started_us >= w.start_us AND i.started_us < w.end_us
    GROUP BY i.member_id, w.window_id
)
SELECT
    w."interval",
    w.alignment,
    model.phase_model,
    make_timestamptz(w.start_us) AS window_start,
    make_timestamptz(w.end_us) AS window_end,
    w.is_partial,
    coalesce(t.open_count, 0) > 0 AS immature,
    s.calculation_type,
    s.scope,
    s.scope_value,
    t.total_us::DOUBLE / (t.analyzed_count * 6e7) AS mttr,
    t.median,
    t.p90,
    t.detection_us::DOUBLE / t.detection_n / 6e7 AS mttd,
    t.acknowledgment_us::DOUBLE / t.acknowledgment_n / 6e7 AS mtta,
    t.investigation_us::DOUBLE / t.investigation_n / 6e7 AS mtti,
    t.mitigation_us::DOUBLE / t.mitigation_n / 6e7 AS mttm,
    coalesce(t.detection_n, 0) AS mttd_n,
    coalesce(t.acknowledgment_n, 0) AS mtta_n,
    coalesce(t.investigation_n, 0) AS mtti_n,
    coalesce(t.mitigation_n, 0) AS mttm_n,
    coalesce(t.incident_count, 0) AS incident_count,
    coalesce(t.analyzed_count, 0) AS analyzed_count,
    coalesce(t.open_count, 0) AS open_count,
    coalesce(t.outlier_count, 0) AS outlier_count,
    coalesce(t.outlier_us, 0)::DOUBLE / nullif(coalesce(t.total_us, 0) + coalesce(t.outlier_us, 0), 0)::DOUBLE AS outlier_minutes_share,
    coalesce(t.invalid_count, 0) AS invalid_count,
    coalesce(t.missing_count, 0) AS missing_count,
    coalesce(l.n, 0) AS n_before_history,
    s.n_events,
    s.n_open,
    s.low_n,
    s.* EXCLUDE (calculation_type, window_id, scope, scope_value, n_events, n_open, low_n),
    make_timestamptz(epoch_us(run.as_of)) AS as_of
FROM core.trend_windows AS w
JOIN figures.survival AS s ON s.window_id = w.window_id
JOIN core.scope_members AS m ON m.scope = s.scope AND m.scope_value = s.scope_value
LEFT JOIN figures.trend_sums AS t ON t.window_id = w.window_id AND t.calculation_type = s.calculation_type
    AND t.member_id = m.member_id
LEFT JOIN left_out AS l ON l.window_id = w.window_id AND l.member_id = m.member_id
CROSS JOIN core.phase_model AS model
CROSS JOIN config.run AS run
