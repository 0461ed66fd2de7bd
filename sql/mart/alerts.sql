/*
description = """Every condition that a person must hear of, with the nights in which it held: those of alert_conditions, run_failed,
job_failed and check_failed. It is over after two nights without it, and a run within 12 hours of a night is no night of its own. A night whose run
failed says nothing about the other conditions. The table is made before anybody is told of this run: told_at and places are those of earlier runs."""
published = true
like = "mart.alert_conditions"
not_null = ["condition", "scope", "sentence", "began_at", "places", "as_of"]
unique = [["condition", "scope", "began_at"]]

[assert]
known_condition = """condition IN ('target_missed', 'error_budget_over', 'source_stale', 'recovery_slower', 'data_quality_red',
    'abandoned_incidents', 'run_failed', 'job_failed', 'check_failed')"""
over_after_two_nights = "ended_at IS NULL OR (quiet_at > began_at AND ended_at > quiet_at)"
nothing_from_the_future = "began_at <= as_of AND (ended_at IS NULL OR ended_at <= as_of)"

[columns]
condition = "a condition of alert_conditions, or run_failed; of runs of Dagster that are not nightly ones, check_failed or job_failed"
scope = "what it is about, as in alert_conditions; run for run_failed; the job for job_failed; the check and its table for check_failed"
sentence = "the condition in words, as people were told when it began"
began_at = "clock of the first run with it. UTC"
quiet_at = "clock of the first run without it since it last held; NULL while it holds. UTC"
ended_at = "clock of the run with which it was over: the second night without it; NULL while it is in force. UTC"
told_at = "when somebody was first told that it began; NULL until then. UTC"
places = "where it was told"
as_of = "="
*/
WITH open AS (
    SELECT h.*, c.condition IS NOT NULL AS holds
    FROM config.alert_history AS h
    LEFT JOIN mart.alert_conditions AS c ON c.condition = h.condition AND c.scope = h.scope
    WHERE h.ended_at IS NULL
),
episodes AS (
    SELECT condition, scope, sentence, began_at, quiet_at, ended_at, told_at, places
    FROM config.alert_history
    WHERE ended_at IS NOT NULL
    UNION ALL
    SELECT
        o.condition, o.scope, o.sentence, o.began_at,
        CASE WHEN NOT o.holds THEN coalesce(o.quiet_at, run.as_of) END,
        CASE WHEN NOT o.holds AND run.as_of - o.quiet_at >= INTERVAL 12 HOUR THEN run.as_of END,
        o.told_at, o.places
    FROM open AS o
    CROSS JOIN config.run AS run
    UNION ALL
    SELECT c.condition, c.scope, c.sentence, run.as_of, NULL, NULL, NULL, []
    FROM mart.alert_conditions AS c
    CROSS JOIN config.run AS run
    ANTI JOIN open AS o ON o.condition = c.condition AND o.scope = c.scope
)
SELECT
    e.condition, e.scope, e.sentence,
    make_timestamptz(epoch_us(e.began_at)) AS began_at,
    make_timestamptz(epoch_us(e.quiet_at)) AS quiet_at,
    make_timestamptz(epoch_us(e.ended_at)) AS ended_at,
    make_timestamptz(epoch_us(e.told_at)) AS told_at,
    e.places,
    make_timestamptz(epoch_us(run.as_of)) AS as_of
FROM episodes AS e
CROSS JOIN config.run AS run
ORDER BY e.began_at DESC, e.condition, e.scope
