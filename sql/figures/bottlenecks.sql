/*
description = """Phases whose mean reaches their warning or critical level, per scope and window (whole history, last 30 days), in
the phase model in force. Counted over the matched incidents without the outliers of the basic variant. A phase without data or
below its warning level has no row. Levels are compared as exact sums: total >= level * n."""
not_null = ["window_name", "phase_model", "scope", "scope_value", "phase", "level", "current_value", "threshold"]
unique = [["window_name", "scope", "scope_value", "phase"]]

[columns]
window_name = "whole or current, as in core.windows"
phase_model = "model in force: lifecycle or coarse"
scope = "all, severity, service or team"
scope_value = "the member; unknown where an incident has no service or team"
phase = "detection, acknowledgment, investigation or mitigation"
place = "order of the phases"
level = "warning or critical, by the mean"
current_value = "mean minutes of the phase"
median_minutes = "median minutes of the phase"
threshold = "minutes of the level reached"
warning_minutes = "minutes of the warning level"
recommendation_id = "id of the advice, such as R-ACK-C"
recommendation = "what to do"
n = "incidents behind mean and median"
affected_incidents = "those in which the phase took at least the threshold"
affected_pct = "100 * affected_incidents / n"
level_by_median = "ok, warning or critical, by the median"
tail_driven = "the median is below the warning level: a few long incidents make the mean, not the usual one"
low_n = "fewer than 5 incidents: chance may be all there is to it"
total_us = "sum of the durations"
target_minutes = "target of the phase: the configured one, else its warning level"
is_own_target = "whether the target is a configured one"
gap_us = "n times what the mean is above the target, exact; 0 or less when it is met"
*/
WITH advice AS (
    SELECT *
    FROM (VALUES
        ('detection', 'warning', 'R-DET-W', 'Problems run for a while before anything notices. Widen what is monitored to the paths users depend on, and tighten the alert thresholds that fired late.'),
        ('detection', 'critical', 'R-DET-C', 'Users notice before the monitoring does. Set up synthetic checks of the main user journeys now, and review every alert rule that stayed silent in these incidents this week.'),
        ('acknowledgment', 'warning', 'R-ACK-W', 'Alerts wait before somebody takes them. Review the on-call rota and the channels that pages go through: gaps at handover, muted channels, rules that send to nobody in particular.'),
        ('acknowledgment', 'critical', 'R-ACK-C', 'Pages go unanswered. Switch on automatic escalation to a second responder after a few minutes without an acknowledgement, and test it with a drill page.'),
        ('investigation', 'warning', 'R-INV-W', 'Finding the cause takes long. Write runbooks for the causes that come back, link them from the alerts, and fill the gaps in dashboards and traces that responders met.'),
        ('investigation', 'critical', 'R-INV-C', 'Responders search in the dark. Invest in tools for debugging: logs in one searchable place, diagnostics that run by themselves when the page goes out, a view of what changed lately.'),
        ('mitigation', 'warning', 'R-MIT-W', 'The repair takes long once it is clear what to do. Write the steps down, and practise them in drills until none needs to be looked up.'),
        ('mitigation', 'critical', 'R-MIT-C', 'The repair is handwork. Make rollback automatic and put risky changes behind feature flags, so that undoing a change takes one step.')
    ) AS a (phase, level, recommendation_id, recommendation)
),
judged AS (
    SELECT
        t.*,
        b.mean_minutes,
        b.median_minutes,
        CASE
            WHEN t.total_us >= t.critical_us::HUGEINT * t.n THEN 'critical'
            WHEN t.total_us >= t.warning_us::HUGEINT * t.n THEN 'warning'
        END AS level
    FROM figures.phase_totals AS t
    JOIN core.windows AS w ON w.name = t.window_name
    JOIN figures.phase_breakdown AS b
        ON b.calculation_type = t.calculation_type AND b.phase_model = t.phase_model AND b.scope = t.scope
        AND b.scope_value = t.scope_value AND b.phase = t.phase
        AND coalesce(epoch_us(b.window_start), 0) = coalesce(epoch_us(w.window_start), 0)
    WHERE t.calculation_type = 'basic' AND t.n > 0 AND t.warning_us IS NOT NULL
)
SELECT
    j.window_name,
    j.phase_model,
    j.scope,
    j.scope_value,
    j.phase,
    j.place,
    j.level,
    j.mean_minutes AS current_value,
    j.median_minutes,
    CASE j.level WHEN 'critical' THEN j.critical_us ELSE j.warning_us END / 6e7 AS threshold,
    j.warning_us / 6e7 AS warning_minutes,
    a.recommendation_id,
    a.recommendation,
    j.n,
    CASE j.level WHEN 'critical' THEN j.n_at_critical ELSE j.n_at_warning END AS affected_incidents,
    100.0 * CASE j.level WHEN 'critical' THEN j.n_at_critical ELSE j.n_at_warning END / j.n AS affected_pct,
    -- Both sides are the same division of whole microseconds, so this compares exactly, too.
    CASE
        WHEN j.median_minutes >= j.critical_us / 6e7 THEN 'critical'
        WHEN j.median_minutes >= j.warning_us / 6e7 THEN 'warning'
        ELSE 'ok'
    END AS level_by_median,
    j.median_minutes < j.warning_us / 6e7 AS tail_driven,
    j.n < 5 AS low_n,
    j.total_us,
    coalesce(g.minutes, j.warning_us / 6e7) AS target_minutes,
    g.minutes IS NOT NULL AS is_own_target,
    j.total_us - coalesce(round(g.minutes * 6e7)::BIGINT, j.warning_us)::HUGEINT * j.n AS gap_us
FROM judged AS j
JOIN advice AS a ON a.phase = j.phase AND a.level = j.level
LEFT JOIN config.phase_targets AS g ON g.phase = j.phase
ORDER BY j.window_name, j.scope, j.scope_value, j.place
