/*
description = """How many incidents finished a phase within its target: the counts of mart.phase_compliance, before the test of the
misses."""
like = "mart.phase_compliance"
not_null = ["row_no", "window_name", "phase", "incidents_count", "breached", "status", "low_n"]
unique = [["row_no"], ["window_name", "phase", "severity"]]

[columns]
row_no = "number of the row, in the order of mart.phase_compliance"
window_name = "window, as in core.target_windows"
phase_model = "="
phase = "="
severity = "="
target_minutes = "="
actual_mean = "="
actual_median = "="
finished_count = "="
incidents_count = "="
within_target = "="
at_risk = "="
breached = "="
open_breached = "="
pending = "="
invalid = "="
not_measured = "="
compliance_pct = "="
compliance_low_pct = "="
compliance_high_pct = "="
status = "="
low_n = "="
*/
WITH phases AS (
    SELECT
        k.phase_model, k.place, k.phase, k.start_place, k.end_place, g.minutes AS target_minutes,
        whole_us(g.minutes) AS target_us,
        share_us(g.minutes, run.at_risk_pct) AS at_risk_us,
        epoch_us(run.as_of) AS as_of_us
    FROM config.phases AS k
    JOIN core.phase_model AS m ON m.phase_model = k.phase_model
    JOIN config.phase_targets AS g ON g.phase = k.phase
    CROSS JOIN config.run AS run
),
incidents AS (
    SELECT
        source, severity, epoch_us(started_at) AS started_us,
        status_is_over(status) AS is_over,
        stamps_us(occurred_at, detected_at, acknowledged_at, investigating_at, root_cause_found_at, mitigated_at, resolved_at,
            closed_at) AS us
    FROM core.incidents
    WHERE is_counted
),
-- How often a source records each stamp. A paging tool, for example, never records a close, so no incident waits for it.
recorded AS (
    SELECT source, [count(us[1]), count(us[2]), count(us[3]), count(us[4]), count(us[5]), count(us[6]), count(us[7]), count(us[8])]
        AS n
    FROM incidents
    GROUP BY source
),
timed AS (
    SELECT
        p.phase, p.target_us, p.at_risk_us, p.as_of_us, i.severity, i.started_us,
        i.us[p.start_place] AS start_us,
        i.us[p.end_place] AS end_us,
        list_max(i.us[p.end_place:]) IS NOT NULL OR r.n[p.end_place] = 0 OR i.is_over AS is_unrecorded,
        p.phase = 'acknowledgment' AND coalesce(i.us[p.end_place] > i.us[7], false) AS is_too_late
    FROM incidents AS i
    JOIN recorded AS r ON r.source = i.source
    CROSS JOIN phases AS p
    WHERE i.us[p.start_place] IS NOT NULL
),
outcomes AS (
    SELECT
        phase, severity, started_us,
        CASE WHEN end_us >= start_us AND NOT is_too_late THEN end_us - start_us END AS duration_us,
        CASE
            WHEN end_us < start_us OR is_too_late THEN 'invalid'
            WHEN end_us - start_us > target_us THEN 'late'
            WHEN end_us - start_us > at_risk_us THEN 'at_risk'
            WHEN end_us IS NOT NULL THEN 'within'
            WHEN is_unrecorded THEN 'not_measured'
            WHEN as_of_us - start_us > target_us THEN 'open_breached'
            ELSE 'pending'
        END AS outcome
    FROM timed
),
measured AS (
    SELECT w.name AS window_name, o.phase, s.severity, compliance_of(o.outcome, o.duration_us) AS m
    FROM outcomes AS o
    JOIN core.target_windows AS w
        ON w.window_start IS NULL OR (o.started_us >= epoch_us(w.window_start) AND o.started_us < epoch_us(w.window_end))
    CROSS JOIN LATERAL (SELECT NULL::VARCHAR AS severity UNION ALL SELECT o.severity) AS s
    GROUP BY w.name, o.phase, s.severity
),
nothing AS (
    SELECT compliance_of(outcome, duration_us) AS m FROM outcomes WHERE false
),
members AS (
    SELECT NULL::VARCHAR AS severity
    UNION ALL
    SELECT scope_value FROM core.scope_members WHERE scope = 'severity'
)
SELECT
    row_number() OVER (ORDER BY w.window_start NULLS FIRST, p.place, s.severity NULLS FIRST) AS row_no,
    w.name AS window_name,
    p.phase_model,
    p.phase,
    s.severity,
    p.target_minutes,
    unnest(coalesce(c.m, nothing.m))
FROM phases AS p
CROSS JOIN core.target_windows AS w
CROSS JOIN members AS s
CROSS JOIN nothing
LEFT JOIN measured AS c ON c.window_name = w.name AND c.phase = p.phase AND c.severity IS NOT DISTINCT FROM s.severity
ORDER BY row_no
