/*
description = """The trend of each severity, in the shape of trend. Calendar windows begin at midnight of the
reporting zone, on Mondays, on the first of the month; rolling ones end at as_of. Windows are half-open on started_at; the first
and the last are clipped to the 90 days. An empty window has zero counts and NULLs."""
published = true
not_null = ["interval", "alignment", "phase_model", "window_start", "window_end", "is_partial", "immature", "calculation_type", "scope", "scope_value", "incident_count", "analyzed_count", "open_count", "outlier_count"]
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
window_end = "first instant after it. UTC"
is_partial = "clipped by the span of 90 days: shorter than its interval"
immature = "an incident of it is still open: its figures will grow"
calculation_type = "variant"
scope = "severity"
scope_value = "SEV1..SEV4, those that ever occurred"
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
incident_count = "matched incidents that started in the window"
analyzed_count = "those with a usable duration"
open_count = "those not over yet"
outlier_count = "those longer than the outlier limit"
invalid_count = "those that end before they start"
missing_count = "those without the variant's start, or without its end although a later stamp exists"
n_events = "incidents seen to recover, outliers included"
n_open = "incidents censored: open until as_of, or resolved by a timeout"
low_n = "fewer than 5 events"
km_median = "typical recovery: Kaplan-Meier median in minutes, open incidents counted as lasting at least until as_of; NULL when not reached"
km_median_low = "lower 95 % limit (log-log); NULL when it does not exist"
km_median_high = "upper 95 % limit (log-log); NULL when it does not exist"
km_median_text = "the median in words; `> 812 min` when it is not reached within the longest observation"
km_p90 = "bad day: Kaplan-Meier 90th percentile in minutes; NULL when not reached. To be shown from 10 events"
km_p90_low = "lower 95 % limit (log-log); NULL when it does not exist"
km_p90_high = "upper 95 % limit (log-log); NULL when it does not exist"
rmst_minutes = "capped mean: area under the Kaplan-Meier curve to 168 h"
rmst_low = "lower 95 % limit (Greenwood); NULL when the curve has no variance. To be shown from 100 events"
rmst_high = "upper 95 % limit (Greenwood); NULL when the curve has no variance. To be shown from 100 events"
is_rmst_bound = "the longest observation is censored before 168 h; the curve is taken as flat from there, rmst_minutes is an upper bound"
longest_minutes = "longest observation: of a recovery, of an open incident until as_of, or until a timeout"
as_of = "clock of the run. UTC"
*/
SELECT
    w."interval",
    w.alignment,
    model.phase_model,
    make_timestamptz(w.start_us) AS window_start,
    make_timestamptz(w.end_us) AS window_end,
    w.is_partial,
    t.open_count > 0 AS immature,
    t.calculation_type,
    t.scope,
    t.scope_value,
    t.total_us::DOUBLE / (t.analyzed_count * 6e7) AS mttr,
    t.median,
    t.p90,
    t.detection_us::DOUBLE / t.detection_n / 6e7 AS mttd,
    t.acknowledgment_us::DOUBLE / t.acknowledgment_n / 6e7 AS mtta,
    t.investigation_us::DOUBLE / t.investigation_n / 6e7 AS mtti,
    t.mitigation_us::DOUBLE / t.mitigation_n / 6e7 AS mttm,
    t.detection_n AS mttd_n,
    t.acknowledgment_n AS mtta_n,
    t.investigation_n AS mtti_n,
    t.mitigation_n AS mttm_n,
    t.incident_count,
    t.analyzed_count,
    t.open_count,
    t.outlier_count,
    t.invalid_count,
    t.missing_count,
    coalesce(s.n_events, 0) AS n_events,
    coalesce(s.n_open, 0) AS n_open,
    coalesce(s.n_events, 0) < 5 AS low_n,
    s.km_median,
    s.km_median_low,
    s.km_median_high,
    recovery_text(s.km_median, s.longest_minutes) AS km_median_text,
    s.km_p90,
    s.km_p90_low,
    s.km_p90_high,
    s.rmst_minutes,
    s.rmst_low,
    s.rmst_high,
    s.is_rmst_bound,
    s.longest_minutes,
    make_timestamptz(epoch_us(run.as_of)) AS as_of
FROM figures.trend AS t
JOIN core.trend_windows AS w ON w.window_id = t.window_id
LEFT JOIN figures.trend_survival AS s ON s.window_id = t.window_id AND s.calculation_type = t.calculation_type
    AND s.scope = t.scope AND s.scope_value = t.scope_value
CROSS JOIN core.phase_model AS model
CROSS JOIN config.run AS run
WHERE t.scope = 'severity'
ORDER BY t.calculation_type, w.window_id, t.scope_value
