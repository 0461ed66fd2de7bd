/*
description = """The summary as rows: the last 30 days beside the 30 before, per variant. The members of a comparison by severity,
service or team stand in mttr_stats and phase_breakdown, with the same two windows."""
not_null = ["calculation_type", "phase_model", "metric", "unit"]
unique = [["calculation_type", "metric"]]

[assert]
no_change_without_a_baseline = "(change_pct IS NULL) = (current_value IS NULL OR coalesce(previous_value, 0) = 0)"

[columns]
calculation_type = "variant"
phase_model = "phase model in force: lifecycle or coarse"
metric = "what the row says: mean, median, p90 and p95 minutes, counts of incidents, <phase>_mean_minutes and <phase>_median_minutes"
unit = "minutes or incidents"
current_value = "in the last 30 days; NULL without data"
previous_value = "in the 30 days before; NULL without data"
change_pct = "100 * (current - previous) / previous; NULL without a baseline. A change says nothing until it is more than chance"
current_n = "incidents behind current_value"
previous_n = "incidents behind previous_value"
current_start = "first instant of the last 30 days. UTC"
current_end = "as_of. UTC"
previous_start = "first instant of the 30 days before. UTC"
previous_end = "current_start. UTC"
as_of = "clock of the run. UTC"
*/
WITH periods AS (
    SELECT name, make_timestamptz(epoch_us(window_start)) AS window_start, make_timestamptz(epoch_us(window_end)) AS window_end
    FROM core.windows
    WHERE name IN ('current', 'previous')
),
stats AS (
    SELECT w.name, s.calculation_type, unnest([
            {place: 1, metric: 'mean_minutes', unit: 'minutes', v: s.mean_minutes, n: s.incidents_analyzed},
            {place: 2, metric: 'median_minutes', unit: 'minutes', v: s.median_minutes, n: s.incidents_analyzed},
            {place: 3, metric: 'p90_minutes', unit: 'minutes', v: s.p90_minutes, n: s.incidents_analyzed},
            {place: 4, metric: 'p95_minutes', unit: 'minutes', v: s.p95_minutes, n: s.incidents_analyzed},
            {place: 5, metric: 'incidents_matched', unit: 'incidents', v: s.incidents_matched::DOUBLE, n: s.incidents_matched},
            {place: 6, metric: 'incidents_analyzed', unit: 'incidents', v: s.incidents_analyzed::DOUBLE, n: s.incidents_matched},
            {place: 7, metric: 'incidents_open', unit: 'incidents', v: s.excluded_open::DOUBLE, n: s.incidents_matched},
            {place: 8, metric: 'incidents_outlier', unit: 'incidents', v: s.excluded_outlier::DOUBLE, n: s.incidents_matched},
            {place: 9, metric: 'incidents_excluded', unit: 'incidents', v: s.incidents_excluded::DOUBLE, n: s.incidents_matched}
        ]) AS m
    FROM mart.mttr_stats AS s
    JOIN periods AS w ON w.window_start = s.window_start AND w.window_end = s.window_end
    WHERE s.scope = 'all'
),
-- A period without incidents has no phases in phase_breakdown; their rows must be here all the same.
phases AS (
    SELECT
        v.calculation_type, p.name, k.place, k.phase,
        b.mean_minutes, b.median_minutes, coalesce(b.n, 0) AS n
    FROM config.variants AS v
    CROSS JOIN periods AS p
    CROSS JOIN core.phase_model AS model
    JOIN (VALUES ('detection', 1), ('acknowledgment', 2), ('investigation', 3), ('mitigation', 4), ('resolution', 5),
        ('closure', 6)) AS k (phase, place) ON model.phase_model = 'lifecycle' OR k.phase <> 'resolution'
    LEFT JOIN mart.phase_breakdown AS b
        ON b.calculation_type = v.calculation_type AND b.phase_model = model.phase_model AND b.scope = 'all'
        AND b.phase = k.phase AND b.window_start = p.window_start AND b.window_end = p.window_end
),
rows AS (
    SELECT calculation_type, name, m.place AS place, m.metric AS metric, m.unit AS unit, m.v AS value, m.n AS n FROM stats
    UNION ALL
    SELECT calculation_type, name, 20 + place, phase || '_mean_minutes', 'minutes', mean_minutes, n FROM phases
    UNION ALL
    SELECT calculation_type, name, 30 + place, phase || '_median_minutes', 'minutes', median_minutes, n FROM phases
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
    c.window_start AS current_start,
    c.window_end AS current_end,
    p.window_start AS previous_start,
    p.window_end AS previous_end,
    make_timestamptz(epoch_us(run.as_of)) AS as_of
FROM rows AS now
JOIN rows AS past ON past.calculation_type = now.calculation_type AND past.metric = now.metric AND past.name = 'previous'
JOIN periods AS c ON c.name = 'current'
JOIN periods AS p ON p.name = 'previous'
CROSS JOIN core.phase_model AS model
CROSS JOIN config.run AS run
WHERE now.name = 'current'
ORDER BY now.calculation_type, now.place
