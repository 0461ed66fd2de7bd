/*
description = """Phases whose mean reaches the warning or the critical level, per scope and window (whole history, last 30 days), in
the phase model in force. They count the matched incidents without the outliers of the basic variant. A phase without data or below
its warning level has no row. Levels are compared as exact sums: total >= level * n."""
not_null = ["window_name", "phase_model", "scope", "scope_value", "phase", "place", "level", "current_value", "threshold", "total_us"]
unique = [["window_name", "scope", "scope_value", "phase"]]

[columns]
phase = "detection, acknowledgment, investigation or mitigation"
level = "warning or critical, by the mean"
current_value = "mean minutes of the phase"
threshold = "minutes of the level that the mean reaches; a service or severity uses its own levels where they are configured"
recommendation_id = "R-DET-W, R-DET-C, R-ACK-W, R-ACK-C, R-INV-W, R-INV-C, R-MIT-W or R-MIT-C"
recommendation = "what to do. It depends on is_paged, on whether the median acknowledgement takes any time, and on the phase model: in the coarse model investigation ends and mitigation begins when service is back"
is_paged = "acknowledgment only: whether the recommendation may speak of pages. True when acknowledgements from pagers hold at least half of the minutes, reach the warning level by themselves, and the median is above 0; NULL for other phases"
n = "incidents behind current_value and median_minutes"
affected_incidents = "those in which the phase took at least the threshold"
affected_pct = "100 * affected_incidents / n"
level_by_median = "ok, warning or critical, by the median"
tail_driven = "the median is below the warning level: a few long incidents raise the mean"
low_n = "fewer than 5 incidents: the level may be due to chance"
scope = "all, severity, service or team"
scope_value = "the member; `unknown` where an incident has no service or team"
phase_model = "phase model in force: lifecycle or coarse"
median_minutes = "median minutes of the phase"
window_start = "first instant of started_at that counts; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
calculation_type = "basic: the variant whose outliers are left out"
window_name = "whole or current, as in core.windows"
place = "order of the phases"
total_us = "sum of the durations of the phase in microseconds"
warning_us = "warning level in microseconds"
situation = "of acknowledgment: instant (the median is 0), paged or not paged; of investigation: to cause or to service, where the phase ends; of mitigation: before service or after service is back; NULL for other phases"
*/
WITH advice AS ( -- situation is NULL where the advice is the same in all of them
    SELECT *
    FROM (VALUES
        ('detection', 'warning', NULL, 'R-DET-W', 'Problems run for some time before monitoring detects them. Monitor the paths that users depend on, and tighten the thresholds of alerts that fired late.'),
        ('detection', 'critical', NULL, 'R-DET-C', 'Problems run so long undetected that users are likely to notice them first. Set up synthetic checks of the main user journeys now, and review this week every alert rule that did not fire in these incidents.'),
        ('acknowledgment', 'warning', 'paged', 'R-ACK-W', 'Pages wait before somebody acknowledges them. Review the on-call schedule and the notification channels. Look for gaps at handovers, muted channels and rules that notify nobody in particular.'),
        ('acknowledgment', 'critical', 'paged', 'R-ACK-C', 'Pages wait long for an acknowledgement. Turn on automatic escalation to a second responder after a few minutes without an acknowledgement, and test it with a drill page.'),
        ('acknowledgment', 'warning', 'not paged', 'R-ACK-W', 'Incidents wait before a responder takes them. Agree on who looks at new incidents at which hours, and notify that person when one is created.'),
        ('acknowledgment', 'critical', 'not paged', 'R-ACK-C', 'Incidents wait long before a responder takes them. Assign every new incident automatically, and notify a second person when nobody has taken it after a few minutes.'),
        ('acknowledgment', 'warning', 'instant', 'R-ACK-W', 'At least half of these incidents are acknowledged the moment they are detected. Look at the others one by one: they alone bring the mean to this level.'),
        ('acknowledgment', 'critical', 'instant', 'R-ACK-C', 'At least half of these incidents are acknowledged the moment they are detected. Look at the others one by one: they alone bring the mean to this level.'),
        ('investigation', 'warning', 'to service', 'R-INV-W', 'Finding the cause and restoring service takes long. Write runbooks for recurring causes, link them from the alerts, and add the dashboards and traces that responders missed.'),
        ('investigation', 'critical', 'to service', 'R-INV-C', 'Finding the cause and restoring service takes very long. Invest in debugging tools: logs in one searchable place, diagnostics that run automatically when an incident begins, and a view of recent changes.'),
        ('investigation', 'warning', 'to cause', 'R-INV-W', 'Finding the cause takes long. Write runbooks for recurring causes, link them from the alerts, and add the dashboards and traces that responders missed.'),
        ('investigation', 'critical', 'to cause', 'R-INV-C', 'Finding the cause takes very long. Invest in debugging tools: logs in one searchable place, diagnostics that run automatically when an incident begins, and a view of recent changes.'),
        ('mitigation', 'warning', 'before service', 'R-MIT-W', 'The repair takes long after it is clear what to do. Write the steps down, and practise them in drills until nobody has to look them up.'),
        ('mitigation', 'critical', 'before service', 'R-MIT-C', 'The repair takes very long after it is clear what to do. Automate rollbacks and put risky changes behind feature flags, so that one step undoes a change.'),
        ('mitigation', 'warning', 'after service', 'R-MIT-W', 'Service is back, but incidents stay open for some time after that. Agree on what has to be checked before an incident is resolved, and resolve it as soon as that is done.'),
        ('mitigation', 'critical', 'after service', 'R-MIT-C', 'Service is back, but incidents stay open long after that. Agree on what has to be checked before an incident is resolved, and remind responders of incidents that are mitigated and still open.')
    ) AS a (phase, level, situation, recommendation_id, recommendation)
),
reached AS (
    SELECT
        t.*,
        w.window_start,
        w.window_end,
        w.as_of,
        b.mean_minutes,
        b.median_minutes,
        t.warning_us / 6e7 AS warning_minutes,
        t.critical_us / 6e7 AS critical_minutes,
        CASE
            WHEN t.total_us >= t.critical_us::HUGEINT * t.n THEN 'critical'
            WHEN t.total_us >= t.warning_us::HUGEINT * t.n THEN 'warning'
        END AS level,
        CASE t.phase
            WHEN 'acknowledgment' THEN CASE
                WHEN b.median_minutes = 0 THEN 'instant'
                WHEN t.paged_us * 2 >= t.total_us AND t.paged_us >= t.warning_us::HUGEINT * t.paged_n THEN 'paged'
                ELSE 'not paged'
            END
            WHEN 'investigation' THEN CASE t.phase_model WHEN 'coarse' THEN 'to service' ELSE 'to cause' END
            WHEN 'mitigation' THEN CASE t.phase_model WHEN 'coarse' THEN 'after service' ELSE 'before service' END
        END AS situation
    FROM figures.phase_totals AS t
    JOIN core.windows AS w ON w.name = t.window_name
    JOIN figures.phase_breakdown AS b
        ON b.calculation_type = 'basic' AND b.phase_model = t.phase_model AND b.scope = t.scope
        AND b.scope_value = t.scope_value AND b.phase = t.phase
        AND coalesce(epoch_us(b.window_start), 0) = coalesce(epoch_us(w.window_start), 0)
    WHERE t.n > 0 AND t.warning_us IS NOT NULL
)
SELECT
    r.phase,
    r.level,
    r.mean_minutes AS current_value,
    CASE r.level WHEN 'critical' THEN r.critical_minutes ELSE r.warning_minutes END AS threshold,
    a.recommendation_id,
    a.recommendation,
    CASE WHEN r.phase = 'acknowledgment' THEN r.situation = 'paged' END AS is_paged,
    r.n,
    CASE r.level WHEN 'critical' THEN r.n_at_critical ELSE r.n_at_warning END AS affected_incidents,
    100.0 * affected_incidents / r.n AS affected_pct,
    -- Both sides are the same division of whole microseconds, so this comparison is exact too.
    CASE
        WHEN r.median_minutes >= r.critical_minutes THEN 'critical'
        WHEN r.median_minutes >= r.warning_minutes THEN 'warning'
        ELSE 'ok'
    END AS level_by_median,
    r.median_minutes < r.warning_minutes AS tail_driven,
    r.n < 5 AS low_n,
    r.scope,
    r.scope_value,
    r.phase_model,
    r.median_minutes,
    make_timestamptz(epoch_us(r.window_start)) AS window_start,
    make_timestamptz(epoch_us(r.window_end)) AS window_end,
    make_timestamptz(epoch_us(r.as_of)) AS as_of,
    'basic' AS calculation_type,
    r.window_name,
    r.place,
    r.total_us,
    r.warning_us,
    r.situation
FROM reached AS r
JOIN advice AS a ON a.phase = r.phase AND a.level = r.level AND a.situation IS NOT DISTINCT FROM r.situation
