/*
description = """The conditions that hold in this run and that a person must hear of: a missed target, a used up error budget, a stale source,
slower recovery, red data quality, abandoned incidents. Targets and changes are those of severities, and of services where [alerts]
says so. The condition that a run failed is not here: no table was made then. alerts says since when each holds."""
published = true
not_null = ["condition", "scope", "sentence", "as_of"]
unique = [["condition", "scope"]]

[assert]
known_condition = """condition IN ('target_missed', 'error_budget_over', 'source_stale', 'recovery_slower', 'data_quality_red',
    'abandoned_incidents')"""

[columns]
condition = "target_missed, error_budget_over, source_stale, recovery_slower, data_quality_red or abandoned_incidents"
scope = "what it is about: a severity, a service, `<severity> of <service>`, a source, or all"
sentence = "the condition in words, as people are told"
n = "what it is based on: incidents of a target or a change, outages of an error budget, findings that warn, abandoned incidents; NULL for a source"
as_of = "clock of the run. UTC"
*/
WITH recent AS (
    SELECT window_start FROM core.target_windows WHERE name = 'last30'
),
targets AS (
    SELECT 'target_missed' AS condition, severity || coalesce(' of ' || service, '') AS scope, incidents_count AS n,
        'In the last 30 days, ' || severity || coalesce(' of ' || service, '') || ' missed its target more often than the goal allows: '
            || format('{:,} of {:,} incidents within target.', within_target, incidents_count) AS sentence
    FROM mart.target_compliance
    CROSS JOIN config.alerts AS wanted
    WHERE is_missed AND (service IS NULL OR wanted.services)
        AND epoch_us(window_start) = (SELECT epoch_us(window_start) FROM recent)
),
budgets AS (
    SELECT 'error_budget_over' AS condition, scope_value AS scope, n,
        'In the last 30 days, ' || scope_value || format(' used {:,.1f} % of its error budget, in {:,} outage', error_budget_used_pct, n)
            || CASE n WHEN 1 THEN '.' ELSE 's.' END AS sentence
    FROM mart.downtime
    WHERE scope = 'service' AND error_budget_used_pct > 100 AND epoch_us(window_start) = (SELECT epoch_us(window_start) FROM recent)
),
-- Imported records and received webhook bodies have no freshness. A failed pull counts only where it is a finding: a report about
-- the past may have all its data from an earlier one.
pulls AS (
    SELECT r.*
    FROM mart.source_runs AS r
    WHERE r.source NOT IN ('custom', 'inbox') AND NOT (r.status = 'failed'
        AND r.source IN (SELECT source FROM mart.data_quality WHERE dq_check = 'last_pull_failed' AND n = 0))
    QUALIFY row_number() OVER (PARTITION BY r.source ORDER BY r.started_at DESC, r.run_id DESC) = 1
),
stale AS (
    SELECT 'source_stale' AS condition, source AS scope, NULL::BIGINT AS n,
        source || coalesce(' is stale: data as of ' || strftime(make_timestamp(epoch_us(data_as_of)), '%Y-%m-%d %H:%M') || ' UTC.',
            ' has never been pulled successfully.') || CASE status WHEN 'failed' THEN coalesce(' ' || left(error, 500), '') ELSE '' END AS sentence
    FROM pulls
    CROSS JOIN config.run AS run
    WHERE status <> 'complete' OR data_as_of IS NULL OR epoch_us(run.as_of) - epoch_us(data_as_of) > 36 * 3600000000
),
-- Not where the page gives the verdict no colour either: durations that changed in both directions, and a verdict that abandoned
-- incidents decide.
slower AS (
    SELECT 'recovery_slower' AS condition, scope_value AS scope, n,
        'Over all durations, recovery' || CASE scope WHEN 'all' THEN '' ELSE ' of ' || scope_value END
            || ' is slower than in the previous 30 days (log-rank test: q ' || CASE WHEN q < 0.001 THEN '< 0.001' ELSE format('{:.3f}', q) END
            || format('; n = {:,}, and {:,} in the previous 30 days).', n, previous_n) AS sentence
    FROM mart.changes
    CROSS JOIN config.alerts AS wanted
    WHERE calculation_type = 'basic' AND verdict = 'slower' AND NOT is_mixed AND NOT hangs_on_abandoned
        AND (scope IN ('all', 'severity') OR (scope = 'service' AND wanted.services))
),
red AS (
    SELECT 'data_quality_red' AS condition, 'all' AS scope, warnings AS n, 'Do not rely on these figures yet. ' || headline AS sentence
    FROM mart.data_quality_status
    WHERE source = 'all' AND light = 'red'
),
abandoned AS (
    SELECT 'abandoned_incidents' AS condition, 'all' AS scope, count(*) AS n,
        format('{:,} open incidents are abandoned, the limit is {:,}.', count(*), any_value(wanted.abandoned_incidents)) AS sentence
    FROM mart.abandoned_incidents
    CROSS JOIN config.alerts AS wanted
    HAVING count(*) > any_value(wanted.abandoned_incidents)
)
SELECT c.condition, c.scope, c.sentence, c.n::BIGINT AS n, make_timestamptz(epoch_us(run.as_of)) AS as_of
FROM (
    SELECT condition, scope, sentence, n FROM targets
    UNION ALL SELECT condition, scope, sentence, n FROM budgets
    UNION ALL SELECT condition, scope, sentence, n FROM stale
    UNION ALL SELECT condition, scope, sentence, n FROM slower
    UNION ALL SELECT condition, scope, sentence, n FROM red
    UNION ALL SELECT condition, scope, sentence, n FROM abandoned
) AS c
CROSS JOIN config.run AS run
ORDER BY c.condition, c.scope
