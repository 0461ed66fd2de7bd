/*
description = """Who or what noticed incidents first, per scope and window: monitors, customers, employees, releases, and how many are unknown. Shares are of
the incidents of which it is known; MTTD is given for each source. Without an incident of which it is known there is no share."""
published = true
not_null = ["scope", "scope_value", "as_of", "detected_by", "n", "n_incidents", "n_known", "n_detection"]
unique = [["scope", "scope_value", "window_start", "detected_by"]]

[assert]
known_detection = "detected_by IN ('monitor', 'customer', 'employee', 'release', 'unknown')"
parts_of_the_whole = "n <= n_incidents AND n_known <= n_incidents AND n_detection <= n"
unknown_is_no_share = "(share_pct IS NULL) = (detected_by = 'unknown' OR n_known = 0)"
limits_enclose = "share_low_pct <= share_pct AND share_pct <= share_high_pct"
never_negative = "mttd_mean_minutes >= 0 AND mttd_median_minutes >= 0"

[columns]
window_start = "first instant of the window; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
scope = "all, severity, service or team"
scope_value = "the member; `unknown` where an incident has no service or team"
detected_by = "monitor, customer, employee, release or unknown"
n = "incidents that it noticed first"
n_incidents = "incidents of the scope and window"
n_known = "those of which is known who or what noticed them"
share_pct = "100 * n / n_known; NULL for unknown, and without an incident of which it is known. That of customer is the share that customers detected"
share_low_pct = "lower 95 % limit (Wilson)"
share_high_pct = "upper 95 % limit (Wilson)"
mttd_mean_minutes = "mean minutes from occurred_at to detected_at of these incidents"
mttd_median_minutes = "median of the same"
n_detection = "incidents behind both: with both stamps, in this order"
*/
WITH cells AS (
    SELECT severity_id, service_id, team_id, window_id, detected_by, count(*) AS n, sum(detection_us)::HUGEINT AS sum_us, count(detection_us) AS n_detection
    FROM facts.learned
    GROUP BY ALL
),
counted AS (
    SELECT w.window_id, c.member_id, c.detected_by, sum(c.n)::BIGINT AS n, sum(c.sum_us)::DOUBLE AS sum_us, sum(c.n_detection)::BIGINT AS n_detection
    FROM (SELECT unnest([0, severity_id, service_id, team_id]) AS member_id, * FROM cells) AS c
    JOIN core.windows AS w ON w.name = 'whole' OR w.window_id = c.window_id
    GROUP BY ALL
),
medians AS (
    SELECT w.window_id, d.member_id, d.detected_by, quantile_cont(d.detection_us, 0.5) / 6e7 AS median
    FROM (
        SELECT unnest([0, severity_id, service_id, team_id]) AS member_id, window_id, detected_by, detection_us
        FROM facts.learned
        WHERE detection_us IS NOT NULL
    ) AS d
    JOIN core.windows AS w ON w.name = 'whole' OR w.window_id = d.window_id
    GROUP BY ALL
),
totals AS (
    SELECT window_id, member_id, sum(n)::BIGINT AS n_incidents, coalesce(sum(CASE WHEN detected_by <> 'unknown' THEN n END), 0)::BIGINT AS n_known
    FROM counted
    GROUP BY ALL
),
shown AS (
    SELECT
        c.*, t.n_incidents, t.n_known, CASE WHEN c.detected_by <> 'unknown' AND t.n_known > 0 THEN c.n END AS k
    FROM counted AS c
    JOIN totals AS t ON t.window_id = c.window_id AND t.member_id = c.member_id
)
SELECT
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(w.as_of)) AS as_of,
    m.scope,
    m.scope_value,
    s.detected_by,
    s.n,
    s.n_incidents,
    s.n_known,
    100.0 * s.k / s.n_known AS share_pct,
    100 * wilson_low(s.k, s.n_known) AS share_low_pct,
    100 * wilson_high(s.k, s.n_known) AS share_high_pct,
    s.sum_us / (nullif(s.n_detection, 0) * 6e7) AS mttd_mean_minutes,
    d.median AS mttd_median_minutes,
    s.n_detection
FROM shown AS s
JOIN core.windows AS w ON w.window_id = s.window_id
JOIN core.scope_members AS m ON m.member_id = s.member_id
LEFT JOIN medians AS d ON d.window_id = s.window_id AND d.member_id = s.member_id AND d.detected_by = s.detected_by
ORDER BY m.scope, m.scope_value, w.window_start NULLS FIRST, s.detected_by
