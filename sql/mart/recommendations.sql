/*
description = """What to do about each bottleneck: up to three strategies of the catalogue, with the figures that call for them, for
the whole history and the last 30 days. A bottleneck has rows only where its mean is above its target. A phase without a configured
target has its warning level as target. There are none for an acknowledgment with a median of 0, and none for the mitigation of the
coarse model, which begins when service is back. With a gap of more than 10 minutes, strategies of high impact come first; with a smaller
gap, those of low effort."""
published = true
like = "figures.bottlenecks"
not_null = ["scope", "scope_value", "phase_model", "phase", "level", "current_value", "threshold", "target_minutes", "gap_minutes", "n", "place", "strategy_id"]
unique = [["scope", "scope_value", "window_start", "phase", "place"]]

[assert]
only_above_the_target = "gap_minutes > 0"
at_most_three = "place BETWEEN 1 AND 3"

[columns]
scope = "="
scope_value = "="
window_start = "="
window_end = "="
as_of = "="
phase_model = "="
phase = "="
level = "="
current_value = "="
threshold = "="
target_minutes = "where the mean should be, in minutes"
target_source = "target (configured for the phase) or warning level"
gap_minutes = "current_value - target_minutes"
n = "="
affected_incidents = "="
low_n = "fewer than 5 incidents: look at each of them before you change anything"
place = "1 to 3, in the order in which to consider the strategies"
strategy_id = "id in strategies"
topic = "name of the strategy"
impact = "high, medium or low"
effort = "high, medium or low"
strategy = "what to do, and where to start"
caution = "why the strategy can shorten the phase without helping users; NULL when there is no such doubt"
*/
WITH targeted AS (
    SELECT
        b.*,
        coalesce(g.minutes, b.warning_us / 6e7) AS target_minutes,
        CASE WHEN g.minutes IS NULL THEN 'warning level' ELSE 'target' END AS target_source,
        -- n times the gap: an exact integer.
        b.total_us - coalesce(round(g.minutes * 6e7)::BIGINT, b.warning_us)::HUGEINT * b.n AS total_gap_us
    FROM figures.bottlenecks AS b
    LEFT JOIN config.phase_targets AS g ON g.phase = b.phase
),
ranked AS (
    SELECT
        t.* EXCLUDE (place), t.place AS phase_place,
        s.strategy_id, s.topic, s.impact, s.effort, s.strategy, s.caution,
        list_position(['high', 'medium', 'low'], s.impact) AS by_impact,
        list_position(['low', 'medium', 'high'], s.effort) AS by_effort,
        t.total_gap_us > 600000000::HUGEINT * t.n AS is_large_gap,
        row_number() OVER (
            PARTITION BY t.window_name, t.scope, t.scope_value, t.phase
            ORDER BY
                CASE WHEN is_large_gap THEN by_impact ELSE by_effort END,
                CASE WHEN is_large_gap THEN by_effort ELSE by_impact END,
                s.place
        ) AS place
    FROM targeted AS t
    JOIN mart.strategies AS s ON s.phase = t.phase
    -- The strategies for acknowledgment make the typical one faster, and those for mitigation bring service back.
    WHERE t.total_gap_us > 0 AND coalesce(t.situation NOT IN ('instant', 'after service'), true)
)
SELECT
    scope,
    scope_value,
    window_start,
    window_end,
    as_of,
    phase_model,
    phase,
    level,
    current_value,
    threshold,
    target_minutes,
    target_source,
    total_gap_us::DOUBLE / (n * 6e7) AS gap_minutes,
    n,
    affected_incidents,
    low_n,
    place,
    strategy_id,
    topic,
    impact,
    effort,
    strategy,
    caution
FROM ranked
WHERE place <= 3
ORDER BY scope, scope_value, window_start NULLS FIRST, level, current_value DESC, phase_place, place
