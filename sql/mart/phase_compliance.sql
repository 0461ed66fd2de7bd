/*
description = """How many incidents finished a phase within the target of that phase, overall and per severity, over the whole history
and over the last 30 and 90 days. Only phases with a configured target have rows. All matched incidents count, outliers too; a
phase that is still running counts as a breach once it is older than its target, where the source records the end of that phase at
all."""
published = true
depends = ["core.incidents"]
not_null = ["phase_model", "phase", "target_minutes", "incidents_count", "within_target", "at_risk", "breached", "open_breached", "pending", "invalid", "not_measured", "status", "low_n"]
unique = [["window_start", "phase", "severity"]]

[assert]
counts_add_up = "incidents_count = within_target + breached AND at_risk <= within_target AND open_breached <= breached"
no_data_is_null = "(incidents_count = 0) = (compliance_pct IS NULL)"

[columns]
window_start = "first instant of started_at that counts; NULL = whole history. UTC"
window_end = "first instant after it; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
phase_model = "phase model in force: lifecycle or coarse"
phase = "detection, acknowledgment, investigation, mitigation, resolution or closure"
severity = "SEV1..SEV4; NULL = all"
target_minutes = "target of the phase"
actual_mean = "mean minutes of finished phases: exact sum / n"
actual_median = "median minutes of finished phases"
finished_count = "incidents behind actual_mean and actual_median"
incidents_count = "finished + open_breached: the denominator"
within_target = "finished in time"
at_risk = "of those, the ones that took more than the configured share of the target"
breached = "finished late + open_breached"
open_breached = "still running and older than the target"
pending = "still running and in time; in no other count"
invalid = "ends before it begins; in no other count"
not_measured = "begun, but its end was never told: a later stamp exists, or the source never tells this one; in no other count"
compliance_pct = "100 * within_target / incidents_count; NULL without incidents"
compliance_low_pct = "lower Wilson limit, 95 %"
compliance_high_pct = "upper Wilson limit, 95 %"
status = "healthy (at least 95 % within), warning (at least 80 %), critical or no_data"
low_n = "incidents_count is below 5: chance may be all there is to the status"
*/
WITH wanted AS (
    SELECT
        k.phase_model, k.place, k.phase, k.start_place, k.end_place, g.minutes AS target_minutes,
        round(g.minutes * 6e7)::BIGINT AS target_us,
        (round(g.minutes * 6e7)::HUGEINT * round(run.at_risk_pct * 1e6)::BIGINT // 100000000)::BIGINT AS at_risk_us,
        epoch_us(run.as_of) AS as_of_us
    FROM config.phases AS k
    JOIN core.phase_model AS m ON m.phase_model = k.phase_model
    JOIN config.phase_targets AS g ON g.phase = k.phase
    CROSS JOIN config.run AS run
),
stamped AS (
    SELECT source, severity, epoch_us(started_at) AS started_us, stamps_us(occurred_at, detected_at, acknowledged_at,
        investigating_at, root_cause_found_at, mitigated_at, resolved_at, closed_at) AS us
    FROM core.incidents
    WHERE duplicate_of IS NULL AND kind = 'incident'
),
-- A pager never says that a record was closed: none of its incidents waits for that.
told_by AS (
    SELECT source, [count(us[1]), count(us[2]), count(us[3]), count(us[4]), count(us[5]), count(us[6]), count(us[7]), count(us[8])]
        AS told
    FROM stamped
    GROUP BY source
),
timed AS (
    SELECT
        w.phase, w.target_us, w.at_risk_us, w.as_of_us, i.severity, i.started_us,
        i.us[w.start_place] AS start_us,
        i.us[w.end_place] AS end_us,
        list_max(i.us[w.end_place:]) IS NOT NULL OR t.told[w.end_place] = 0 AS is_untold
    FROM stamped AS i
    JOIN told_by AS t ON t.source = i.source
    CROSS JOIN wanted AS w
    WHERE i.us[w.start_place] IS NOT NULL
),
judged AS (
    SELECT
        phase, severity, started_us,
        CASE WHEN end_us >= start_us THEN end_us - start_us END AS duration_us,
        CASE
            WHEN end_us < start_us THEN 'invalid'
            WHEN end_us - start_us > target_us THEN 'late'
            WHEN end_us - start_us > at_risk_us THEN 'at_risk'
            WHEN end_us IS NOT NULL THEN 'within'
            WHEN is_untold THEN 'not_measured'
            WHEN as_of_us - start_us > target_us THEN 'open_breached'
            ELSE 'pending'
        END AS outcome
    FROM timed
),
scoped AS (
    SELECT w.name AS window_name, j.phase, s.severity, j.duration_us, j.outcome
    FROM judged AS j
    JOIN core.target_windows AS w
        ON w.window_start IS NULL OR (j.started_us >= epoch_us(w.window_start) AND j.started_us < epoch_us(w.window_end))
    CROSS JOIN LATERAL (SELECT NULL::VARCHAR AS severity UNION ALL SELECT j.severity) AS s
),
counted AS (
    SELECT
        window_name, phase, severity,
        count(*) FILTER (WHERE outcome IN ('within', 'at_risk')) AS within_target,
        count(*) FILTER (WHERE outcome = 'at_risk') AS at_risk,
        count(*) FILTER (WHERE outcome = 'late') AS late,
        count(*) FILTER (WHERE outcome = 'open_breached') AS open_breached,
        count(*) FILTER (WHERE outcome = 'pending') AS pending,
        count(*) FILTER (WHERE outcome = 'invalid') AS invalid,
        count(*) FILTER (WHERE outcome = 'not_measured') AS not_measured,
        count(duration_us) AS finished_count,
        sum(duration_us) AS finished_us,
        quantile_cont(duration_us, 0.5) AS median_us
    FROM scoped
    GROUP BY window_name, phase, severity
),
members AS (
    SELECT NULL::VARCHAR AS severity
    UNION ALL
    SELECT scope_value FROM core.scope_members WHERE scope = 'severity'
),
filled AS (
    SELECT
        t.window_start, t.window_end, w.phase_model, w.place, w.phase, w.target_minutes, s.severity,
        coalesce(c.within_target, 0) AS k,
        coalesce(c.within_target + c.late + c.open_breached, 0) AS n,
        coalesce(c.at_risk, 0) AS at_risk,
        coalesce(c.late, 0) AS late,
        coalesce(c.open_breached, 0) AS open_breached,
        coalesce(c.pending, 0) AS pending,
        coalesce(c.invalid, 0) AS invalid,
        coalesce(c.not_measured, 0) AS not_measured,
        coalesce(c.finished_count, 0) AS finished_count,
        c.finished_us,
        c.median_us
    FROM wanted AS w
    CROSS JOIN core.target_windows AS t
    CROSS JOIN members AS s
    LEFT JOIN counted AS c ON c.window_name = t.name AND c.phase = w.phase AND c.severity IS NOT DISTINCT FROM s.severity
)
SELECT
    make_timestamptz(epoch_us(f.window_start)) AS window_start,
    make_timestamptz(epoch_us(f.window_end)) AS window_end,
    make_timestamptz(epoch_us(run.as_of)) AS as_of,
    f.phase_model,
    f.phase,
    f.severity,
    f.target_minutes,
    f.finished_us::DOUBLE / (nullif(f.finished_count, 0) * 6e7) AS actual_mean,
    f.median_us / 6e7 AS actual_median,
    f.finished_count,
    f.n AS incidents_count,
    f.k AS within_target,
    f.at_risk,
    f.late + f.open_breached AS breached,
    f.open_breached,
    f.pending,
    f.invalid,
    f.not_measured,
    100.0 * f.k / nullif(f.n, 0) AS compliance_pct,
    100 * wilson_low(f.k, f.n) AS compliance_low_pct,
    100 * wilson_high(f.k, f.n) AS compliance_high_pct,
    compliance_status(f.k, f.n) AS status,
    f.n < 5 AS low_n
FROM filled AS f
CROSS JOIN config.run AS run
ORDER BY f.window_start NULLS FIRST, f.place, f.severity NULLS FIRST
