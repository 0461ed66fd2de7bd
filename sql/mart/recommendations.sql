/*
description = """What to do about each bottleneck: up to three strategies of the catalogue, with the numbers that called for them,
for the whole history and the last 30 days. Only where the mean is above its target; the target of a phase without one is its
warning level. A gap of more than 10 minutes asks for impact first, a smaller one for little effort first."""
published = true
not_null = ["scope", "scope_value", "phase_model", "phase", "level", "current_value", "threshold", "target_minutes", "gap_minutes", "n", "place", "strategy_id"]
unique = [["scope", "scope_value", "window_start", "phase", "place"]]

[assert]
only_above_the_target = "gap_minutes > 0"
at_most_three = "place BETWEEN 1 AND 3"

[columns]
scope = "all, severity, service or team"
scope_value = "the member; unknown where an incident has no service or team"
window_start = "first instant of started_at that counts; NULL = whole history. UTC"
window_end = "first instant after it; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
phase_model = "phase model in force: lifecycle or coarse"
phase = "the phase that is too long"
level = "warning or critical, as in bottlenecks"
current_value = "mean minutes of the phase"
threshold = "minutes of the level reached"
target_minutes = "where the mean should be"
target_source = "target (configured for the phase) or warning level"
gap_minutes = "current_value - target_minutes"
n = "incidents behind current_value"
affected_incidents = "those in which the phase took at least the threshold"
low_n = "fewer than 5 incidents: look at them one by one before changing anything"
place = "1 to 3: what to do first"
strategy_id = "id in strategies"
topic = "its name"
impact = "high, medium or low"
effort = "high, medium or low"
strategy = "what to do, and how to begin"
caution = "why it may move the number without helping anybody; NULL when there is no such doubt"
*/
WITH ranked AS (
    SELECT
        b.window_name, b.scope, b.scope_value, b.phase_model, b.phase, b.place AS phase_place, b.level, b.current_value,
        b.threshold, b.target_minutes, b.is_own_target, b.gap_us, b.n, b.affected_incidents, b.low_n,
        s.strategy_id, s.topic, s.impact, s.effort, s.strategy, s.caution,
        row_number() OVER (
            PARTITION BY b.window_name, b.scope, b.scope_value, b.phase
            ORDER BY
                CASE WHEN b.gap_us > 600000000::HUGEINT * b.n THEN list_position(['high', 'medium', 'low'], s.impact)
                    ELSE list_position(['low', 'medium', 'high'], s.effort) END,
                CASE WHEN b.gap_us > 600000000::HUGEINT * b.n THEN list_position(['low', 'medium', 'high'], s.effort)
                    ELSE list_position(['high', 'medium', 'low'], s.impact) END,
                s.place
        ) AS place
    FROM figures.bottlenecks AS b
    JOIN mart.strategies AS s ON s.phase = b.phase
    WHERE b.gap_us > 0
)
SELECT
    r.scope,
    r.scope_value,
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(w.as_of)) AS as_of,
    r.phase_model,
    r.phase,
    r.level,
    r.current_value,
    r.threshold,
    r.target_minutes,
    CASE WHEN r.is_own_target THEN 'target' ELSE 'warning level' END AS target_source,
    r.gap_us::DOUBLE / (r.n * 6e7) AS gap_minutes,
    r.n,
    r.affected_incidents,
    r.low_n,
    r.place,
    r.strategy_id,
    r.topic,
    r.impact,
    r.effort,
    r.strategy,
    r.caution
FROM ranked AS r
JOIN core.windows AS w ON w.name = r.window_name
WHERE r.place <= 3
ORDER BY r.scope, r.scope_value, w.window_start NULLS FIRST, r.level, r.current_value DESC, r.phase_place, r.place
