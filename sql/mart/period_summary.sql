/*
description = """The summary as rows: the last 30 days and the 30 days before, per variant. mttr_stats and phase_breakdown have the same two
periods by severity, service and team."""
published = true
like = "mart.mttr_stats"
not_null = ["calculation_type", "phase_model", "metric", "unit", "current_n", "previous_n", "current_open", "previous_open"]
unique = [["calculation_type", "metric"]]

[assert]
no_change_without_a_baseline = "(change_pct IS NULL) = (current_value IS NULL OR coalesce(previous_value, 0) = 0)"

[columns]
calculation_type = "variant"
phase_model = "="
metric = "figure of the row: mean, median, p90 and p95 minutes; km_median_minutes, km_p90_minutes and rmst_minutes (typical recovery, bad day, capped mean), which count open incidents and include outliers; counts of incidents; <phase>_mean_minutes and <phase>_median_minutes"
unit = "minutes or incidents"
current_value = "value of the last 30 days; NULL without data"
previous_value = "value of the 30 days before; NULL without data"
change_pct = "100 * (current - previous) / previous; NULL without a baseline. It may be due to chance: see q"
current_n = "incidents behind current_value"
previous_n = "incidents behind previous_value"
current_open = "those of current_n that are censored: open at as_of, or resolved by a timeout; 0 except for typical recovery, bad day and capped mean"
previous_open = "those of previous_n that are censored"
q = "p of no change after Benjamini-Hochberg: for km_median_minutes from changes, for incidents_matched from frequency, else NULL"
verdict = "verdict that q allows: for km_median_minutes from changes, for incidents_matched from frequency, else NULL"
current_start = "first instant of the last 30 days. UTC"
current_end = "as_of. UTC"
previous_start = "first instant of the 30 days before. UTC"
previous_end = "current_start. UTC"
low_n = "fewer than 5 incidents behind either value"
as_of = "="
*/
WITH periods AS (
    SELECT name, make_timestamptz(epoch_us(window_start)) AS window_start, make_timestamptz(epoch_us(window_end)) AS window_end
    FROM core.windows
    WHERE name IN ('current', 'previous')
),
stats AS (
    SELECT w.name, s.calculation_type, unnest([
            {place: 1, metric: 'mean_minutes', unit: 'minutes', v: s.mean_minutes, n: s.incidents_analyzed, n_open: 0},
            {place: 2, metric: 'median_minutes', unit: 'minutes', v: s.median_minutes, n: s.incidents_analyzed, n_open: 0},
            {place: 3, metric: 'p90_minutes', unit: 'minutes', v: s.p90_minutes, n: s.incidents_analyzed, n_open: 0},
            {place: 4, metric: 'p95_minutes', unit: 'minutes', v: s.p95_minutes, n: s.incidents_analyzed, n_open: 0},
            {place: 5, metric: 'km_median_minutes', unit: 'minutes', v: s.km_median, n: s.n_events + s.n_open, n_open: s.n_open},
            {place: 6, metric: 'km_p90_minutes', unit: 'minutes', v: s.km_p90, n: s.n_events + s.n_open, n_open: s.n_open},
            {place: 7, metric: 'rmst_minutes', unit: 'minutes', v: s.rmst_minutes, n: s.n_events + s.n_open, n_open: s.n_open},
            {place: 8, metric: 'incidents_matched', unit: 'incidents', v: s.incidents_matched, n: s.incidents_matched, n_open: 0},
            {place: 9, metric: 'incidents_analyzed', unit: 'incidents', v: s.incidents_analyzed, n: s.incidents_matched, n_open: 0},
            {place: 10, metric: 'incidents_open', unit: 'incidents', v: s.excluded_open, n: s.incidents_matched, n_open: 0},
            {place: 11, metric: 'incidents_outlier', unit: 'incidents', v: s.excluded_outlier, n: s.incidents_matched, n_open: 0},
            {place: 12, metric: 'incidents_excluded', unit: 'incidents', v: s.incidents_excluded, n: s.incidents_matched, n_open: 0}
        ]) AS m
    FROM mart.mttr_stats AS s
    JOIN periods AS w ON w.window_start = s.window_start AND w.window_end = s.window_end
    WHERE s.scope = 'all'
),
phases AS (
    SELECT b.calculation_type, p.name, k.place, k.phase, b.mean_minutes, b.median_minutes, b.n
    FROM figures.phase_breakdown AS b
    JOIN core.phase_model AS model ON model.phase_model = b.phase_model
    JOIN config.phases AS k ON k.phase_model = b.phase_model AND k.phase = b.phase
    JOIN periods AS p ON p.window_start = b.window_start AND p.window_end = b.window_end
    WHERE b.scope = 'all'
),
rows AS (
    SELECT calculation_type, name, m.place AS place, m.metric AS metric, m.unit AS unit, m.v AS value, m.n AS n, m.n_open AS n_open
    FROM stats
    UNION ALL
    SELECT calculation_type, name, 20 + place, phase || '_mean_minutes', 'minutes', mean_minutes, n, 0 FROM phases
    UNION ALL
    SELECT calculation_type, name, 30 + place, phase || '_median_minutes', 'minutes', median_minutes, n, 0 FROM phases
)
SELECT
    now.calculation_type,
    model.phase_model,
    now.metric,
    now.unit,
    now.value AS current_value,
    past.value AS previous_value,
    100 * (now.value - past.value) / nullif(past.value, 0) AS change_pct,
    now.n AS current_n,
    past.n AS previous_n,
    now.n_open AS current_open,
    past.n_open AS previous_open,
    CASE now.metric WHEN 'km_median_minutes' THEN changed.q WHEN 'incidents_matched' THEN often.q END AS q,
    CASE now.metric WHEN 'km_median_minutes' THEN changed.verdict WHEN 'incidents_matched' THEN often.verdict END AS verdict,
    c.window_start AS current_start,
    c.window_end AS current_end,
    p.window_start AS previous_start,
    p.window_end AS previous_end,
    least(now.n, past.n) < 5 AS low_n,
    make_timestamptz(epoch_us(run.as_of)) AS as_of
FROM rows AS now
JOIN rows AS past ON past.calculation_type = now.calculation_type AND past.metric = now.metric AND past.name = 'previous'
JOIN periods AS c ON c.name = 'current'
JOIN periods AS p ON p.name = 'previous'
JOIN mart.changes AS changed ON changed.calculation_type = now.calculation_type AND changed.scope = 'all'
JOIN mart.frequency AS often ON often.scope = 'all'
CROSS JOIN core.phase_model AS model
CROSS JOIN config.run AS run
WHERE now.name = 'current'
ORDER BY now.calculation_type, now.place
