/*
description = """What incidents cost: minutes in which a service was down, over the whole history (from the first outage of all), the last 30 and
the last 90 days. Users are down from occurred, else started_at, to mitigated, else resolved, else closed, else as_of. An incident takes
down the part of its service that is configured for its severity. Where incidents overlap, the largest part counts, not the sum.
Maintenance is no downtime, and noise is none unless the configuration counts it. Abandoned incidents stand apart: they are down until
their last event. The row of the scope all says when any service was down."""
published = true
not_null = ["scope", "scope_value", "as_of", "n", "n_open", "n_abandoned", "n_weightless", "n_invalid", "downtime_minutes", "weighted_downtime_minutes", "weighted_downtime_with_abandoned_minutes", "n_users_known", "n_revenue_known"]
unique = [["scope", "scope_value", "window_start"]]

[assert]
availability_is_a_share = "availability_pct BETWEEN 0 AND 100 AND availability_with_abandoned_pct BETWEEN 0 AND availability_pct"
not_longer_than_the_window = "downtime_minutes <= window_minutes AND weighted_downtime_minutes <= downtime_minutes * (1 + 1e-12)"

[columns]
scope = "all or service"
scope_value = "all, or the service; `unknown` where an incident has none"
window_start = "first instant of the window; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
n = "outages that overlap the window, including those of no length that start in it, without those of abandoned incidents"
n_open = "outages that are not over at as_of"
n_abandoned = "outages of abandoned incidents that overlap the window, down until their last event"
n_weightless = "of n: outages that take nothing down, by the weight of their severity or as noise"
n_invalid = "incidents of the scope, over the whole history, that end before they start: not counted"
window_minutes = "length of the window from the start of the history on, which is the first outage of all"
downtime_minutes = "union of the outages inside the window that take anything down, without abandoned incidents"
weighted_downtime_minutes = "the same, each minute times the largest weight in it"
weighted_downtime_with_abandoned_minutes = "the same with abandoned incidents until their last event"
availability_pct = "100 (1 - weighted downtime / window); NULL for `unknown`, which is no service but incidents of any number of them"
availability_with_abandoned_pct = "the same with abandoned incidents until their last event"
availability_target_pct = "configured availability target of a service; NULL when there is none, for `unknown` and for the scope all"
error_budget_minutes = "weighted downtime that the target allows in the window"
error_budget_used_pct = "100 * weighted downtime / error budget; above 100 the target is missed"
error_budget_used_with_abandoned_pct = "the same with abandoned incidents until their last event"
user_minutes = """sum over incidents of affected users times minutes down inside the window, whatever their weight, without abandoned
incidents; NULL when no incident has affected users"""
n_users_known = "outages behind user_minutes"
revenue_impact = """sum of the revenue impact, in the company's currency, of the outages that start inside the window, whatever their weight,
abandoned incidents too; NULL when none of them states one"""
n_revenue_known = "outages behind revenue_impact"
*/
WITH history AS (
    SELECT min(start_us) AS first_us FROM facts.outages WHERE end_us >= start_us
),
windows AS (
    -- A window counts only from the start of the history on, because nothing was observed before it.
    SELECT
        w.name,
        epoch_us(w.window_start) AS window_start_us,
        epoch_us(w.window_end) AS window_end_us,
        epoch_us(run.as_of) AS end_us,
        CASE WHEN history.first_us IS NOT NULL THEN greatest(epoch_us(w.window_start), history.first_us) END AS start_us
    FROM core.target_windows AS w
    CROSS JOIN config.run AS run
    CROSS JOIN history
),
members AS (
    SELECT 0 AS member_id, count(*) FILTER (WHERE end_us < start_us) AS n_invalid FROM facts.outages
    UNION ALL
    SELECT service_id, count(*) FILTER (WHERE end_us < start_us) FROM facts.outages GROUP BY service_id
),
-- Weighted time is counted in thousandths of a microsecond, so that it is exact.
down AS (
    SELECT
        member_id, name,
        sum(us) FILTER (WHERE NOT is_abandoned) AS down_us,
        sum(us * weight) FILTER (WHERE NOT is_abandoned) AS weighted,
        sum(us * weight) AS weighted_with_abandoned
    FROM (
        SELECT s.member_id, w.name, s.is_abandoned, s.weight,
            least(s.end_us, w.end_us) - greatest(s.start_us, w.start_us) AS us
        FROM figures.downtime_spans AS s
        JOIN windows AS w ON s.start_us < w.end_us AND s.end_us > w.start_us
    )
    GROUP BY member_id, name
),
-- The outages in each window. Most state neither users nor revenue, so these are added up apart from the counts.
inside AS NOT MATERIALIZED (
    SELECT o.*, w.name, o.start_us >= w.start_us AS starts_inside,
        least(o.end_us, w.end_us) - greatest(o.start_us, w.start_us) AS us
    FROM facts.outages AS o
    -- An outage of no length is inside where it starts.
    JOIN windows AS w ON o.start_us < w.end_us AND greatest(o.end_us, o.start_us + 1) > w.start_us
    WHERE o.end_us >= o.start_us
),
users AS (
    SELECT service_id, name, count(*) AS n, sum(affected_users::HUGEINT * us) AS user_us
    FROM inside WHERE affected_users IS NOT NULL AND NOT is_abandoned
    GROUP BY service_id, name
),
-- What is lost has no length, so it belongs to one window: that of the start. Added up in one order, so that it is the same on every run.
lost AS (
    SELECT service_id, name, count(*) AS n, sum(revenue_impact ORDER BY revenue_impact) AS revenue
    FROM inside WHERE revenue_impact IS NOT NULL AND starts_inside
    GROUP BY service_id, name
),
kinds AS (
    SELECT service_id, name, is_abandoned, is_open, weight = 0 AS is_weightless, count(*) AS n
    FROM inside
    GROUP BY service_id, name, is_abandoned, is_open, is_weightless
),
by_service AS (
    SELECT k.service_id, k.name, k.n, k.n_open, k.n_abandoned, k.n_weightless, coalesce(u.n, 0) AS n_users_known, u.user_us,
        coalesce(l.n, 0) AS n_revenue_known, l.revenue
    FROM (
        SELECT
            service_id, name,
            coalesce(sum(n) FILTER (WHERE NOT is_abandoned), 0) AS n,
            coalesce(sum(n) FILTER (WHERE is_open), 0) AS n_open,
            coalesce(sum(n) FILTER (WHERE is_abandoned), 0) AS n_abandoned,
            coalesce(sum(n) FILTER (WHERE is_weightless AND NOT is_abandoned), 0) AS n_weightless
        FROM kinds
        GROUP BY service_id, name
    ) AS k
    LEFT JOIN users AS u ON u.service_id = k.service_id AND u.name = k.name
    LEFT JOIN lost AS l ON l.service_id = k.service_id AND l.name = k.name
),
counted AS (
    SELECT service_id AS member_id, * EXCLUDE (service_id) FROM by_service
    UNION ALL
    SELECT 0, name, sum(n), sum(n_open), sum(n_abandoned), sum(n_weightless), sum(n_users_known), sum(user_us),
        sum(n_revenue_known), sum(revenue ORDER BY service_id)
    FROM by_service GROUP BY name
),
measured AS (
    SELECT
        member.scope, member.scope_value, m.n_invalid, w.window_start_us, w.window_end_us,
        run.as_of,
        coalesce(c.n, 0)::BIGINT AS n,
        coalesce(c.n_open, 0)::BIGINT AS n_open,
        coalesce(c.n_abandoned, 0)::BIGINT AS n_abandoned,
        coalesce(c.n_weightless, 0)::BIGINT AS n_weightless,
        coalesce(c.n_users_known, 0)::BIGINT AS n_users_known,
        c.user_us,
        coalesce(c.n_revenue_known, 0)::BIGINT AS n_revenue_known,
        c.revenue,
        nullif(w.end_us - w.start_us, 0) AS window_us,
        1000 * window_us AS weighted_window,
        coalesce(d.down_us, 0)::BIGINT AS down_us,
        coalesce(d.weighted, 0)::BIGINT AS weighted,
        coalesce(d.weighted_with_abandoned, 0)::BIGINT AS weighted_with_abandoned,
        member.scope = 'all' OR member.scope_value <> 'unknown' AS is_whole,
        CASE WHEN member.scope = 'service' AND is_whole THEN run.availability_target_pct END AS target_pct
    FROM members AS m
    JOIN core.scope_members AS member ON member.member_id = m.member_id
    CROSS JOIN windows AS w
    CROSS JOIN config.run AS run
    LEFT JOIN counted AS c ON c.member_id = m.member_id AND c.name = w.name
    LEFT JOIN down AS d ON d.member_id = m.member_id AND d.name = w.name
)
SELECT
    scope,
    scope_value,
    make_timestamptz(window_start_us) AS window_start,
    make_timestamptz(window_end_us) AS window_end,
    make_timestamptz(epoch_us(as_of)) AS as_of,
    n,
    n_open,
    n_abandoned,
    n_weightless,
    n_invalid,
    window_us / 6e7 AS window_minutes,
    down_us / 6e7 AS downtime_minutes,
    weighted / 6e10 AS weighted_downtime_minutes,
    weighted_with_abandoned / 6e10 AS weighted_downtime_with_abandoned_minutes,
    CASE WHEN is_whole THEN 100 * ((weighted_window - weighted)::DOUBLE / weighted_window) END AS availability_pct,
    CASE WHEN is_whole THEN 100 * ((weighted_window - weighted_with_abandoned)::DOUBLE / weighted_window) END
        AS availability_with_abandoned_pct,
    target_pct AS availability_target_pct,
    window_us / 6e7 * (100 - target_pct) / 100 AS error_budget_minutes,
    100 * (weighted / (weighted_window * (100 - target_pct) / 100)) AS error_budget_used_pct,
    100 * (weighted_with_abandoned / (weighted_window * (100 - target_pct) / 100)) AS error_budget_used_with_abandoned_pct,
    CASE WHEN n_users_known > 0 THEN user_us::DOUBLE / 6e7 END AS user_minutes,
    n_users_known,
    revenue AS revenue_impact,
    n_revenue_known
FROM measured
ORDER BY scope, scope_value, window_start_us NULLS FIRST
