/*
description = """Whether the company learns from its incidents, per scope and window of the incident's start: how many incidents of SEV1 and SEV2 got a
post-mortem, in time, and after how many days; follow-up actions that are open; incidents after which a test was added. A post-mortem that is
not due yet is in no share. Without any post-mortem that is known there is no share: nobody knows whether there are none, or where they are."""
published = true
not_null = ["scope", "scope_value", "as_of", "n_wanted", "n_not_due", "n", "n_days", "n_action_ages", "actions", "open_actions", "overdue_actions"]
unique = [["scope", "scope_value", "window_start"]]

[assert]
parts_of_the_whole = "n + n_not_due = n_wanted AND completed <= n AND on_time <= completed AND open_actions <= actions AND overdue_actions <= open_actions AND tested <= n_wanted"
no_data_is_null = "(n_days = 0) = (median_days IS NULL) AND (n_action_ages = 0) = (open_action_median_age_days IS NULL) AND (n > 0 OR completion_pct IS NULL)"
limits_enclose = "completion_low_pct <= completion_pct AND completion_pct <= completion_high_pct AND on_time_low_pct <= on_time_pct AND on_time_pct <= on_time_high_pct"
never_negative = "median_days >= 0"

[columns]
window_start = "first instant of the window; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
scope = "all, severity, service or team"
scope_value = "the member; `unknown` where an incident has no service or team"
n_wanted = "incidents of SEV1 and SEV2 that were resolved: each needs a post-mortem"
n_not_due = "those whose post-mortem is not due yet"
n = "the others: those in the shares"
completed = "those with a completed post-mortem; NULL where no post-mortem is known at all"
completion_pct = "100 * completed / n"
completion_low_pct = "lower 95 % limit (Wilson)"
completion_high_pct = "upper 95 % limit (Wilson)"
on_time = "those with one that was completed when it was due; NULL where no post-mortem is known at all"
on_time_pct = "100 * on_time / n"
on_time_low_pct = "lower 95 % limit (Wilson)"
on_time_high_pct = "upper 95 % limit (Wilson)"
median_days = "median days from the resolve to the completed post-mortem, of those that are due; missing ones are left out"
n_days = "post-mortems behind it"
actions = "follow-up actions of the incidents"
open_actions = "those that are not completed"
overdue_actions = "those of them that are due"
open_action_median_age_days = "median days since open actions were made"
n_action_ages = "open actions behind it: those of which is known when they were made"
tested = "of n_wanted, those with a post-mortem or an action that says that a test was added; NULL where none in the whole history says so"
test_added_pct = "100 * tested / n_wanted"
test_added_low_pct = "lower 95 % limit (Wilson)"
test_added_high_pct = "upper 95 % limit (Wilson)"
*/
WITH known AS (
    SELECT coalesce(bool_or(kind = 'post_mortem' AND external_id IS NOT NULL), false) AS post_mortems, coalesce(bool_or(is_test), false) AS tests
    FROM core.follow_ups
),
-- Of each incident, its post-mortem and its actions.
incidents AS (
    SELECT
        f.incident_no, bool_or(f.is_wanted) AS is_wanted, bool_or(f.is_wanted AND f.is_due) AS is_due,
        bool_or(f.is_wanted AND f.is_due AND f.completed_at IS NOT NULL) AS is_completed, bool_or(f.is_wanted AND f.is_due AND coalesce(f.on_time, false)) AS is_on_time,
        max(CASE WHEN f.is_wanted AND f.is_due AND epoch_us(f.completed_at) >= epoch_us(f.resolved_at)
            THEN epoch_us(f.completed_at) - epoch_us(f.resolved_at) END) AS us,
        count(CASE WHEN f.kind = 'action' THEN 1 END) AS actions,
        count(CASE WHEN f.kind = 'action' AND f.completed_at IS NULL THEN 1 END) AS open_actions,
        count(CASE WHEN f.kind = 'action' AND f.completed_at IS NULL AND f.is_due THEN 1 END) AS overdue_actions, bool_or(f.is_test) AS is_tested
    FROM core.follow_ups AS f
    GROUP BY f.incident_no
),
placed AS (
    SELECT unnest([0, l.severity_id, l.service_id, l.team_id]) AS member_id, l.window_id, i.*
    FROM incidents AS i
    JOIN facts.learned AS l ON l.incident_no = i.incident_no
),
counted AS (
    SELECT
        w.window_id, p.member_id, count(CASE WHEN p.is_wanted THEN 1 END) AS n_wanted, count(CASE WHEN p.is_wanted AND NOT p.is_due THEN 1 END) AS n_not_due,
        count(CASE WHEN p.is_due THEN 1 END) AS n, count(CASE WHEN p.is_completed THEN 1 END) AS completed,
        count(CASE WHEN p.is_on_time THEN 1 END) AS on_time, quantile_cont(p.us, 0.5) / 8.64e10 AS median_days, count(p.us) AS n_days,
        sum(p.actions)::BIGINT AS actions, sum(p.open_actions)::BIGINT AS open_actions, sum(p.overdue_actions)::BIGINT AS overdue_actions,
        count(CASE WHEN p.is_wanted AND p.is_tested THEN 1 END) AS tested
    FROM placed AS p
    JOIN core.windows AS w ON w.name = 'whole' OR w.window_id = p.window_id
    GROUP BY ALL
),
ages AS (
    SELECT w.window_id, a.member_id, quantile_cont(a.us, 0.5) / 8.64e10 AS median, count(*) AS n
    FROM (
        SELECT unnest([0, l.severity_id, l.service_id, l.team_id]) AS member_id, l.window_id, epoch_us(run.as_of) - epoch_us(f.created_at) AS us
        FROM core.follow_ups AS f
        CROSS JOIN config.run AS run
        JOIN facts.learned AS l ON l.incident_no = f.incident_no
        WHERE f.kind = 'action' AND f.completed_at IS NULL AND f.created_at IS NOT NULL
    ) AS a
    JOIN core.windows AS w ON w.name = 'whole' OR w.window_id = a.window_id
    GROUP BY ALL
),
told AS (
    SELECT
        c.* EXCLUDE (completed, on_time, tested), CASE WHEN k.post_mortems THEN c.completed END AS completed,
        CASE WHEN k.post_mortems THEN c.on_time END AS on_time, CASE WHEN k.tests THEN c.tested END AS tested
    FROM counted AS c
    CROSS JOIN known AS k
)
SELECT
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(w.as_of)) AS as_of,
    m.scope,
    m.scope_value,
    t.n_wanted,
    t.n_not_due,
    t.n,
    t.completed,
    100.0 * t.completed / nullif(t.n, 0) AS completion_pct,
    100 * wilson_low(t.completed, t.n) AS completion_low_pct,
    100 * wilson_high(t.completed, t.n) AS completion_high_pct,
    t.on_time,
    100.0 * t.on_time / nullif(t.n, 0) AS on_time_pct,
    100 * wilson_low(t.on_time, t.n) AS on_time_low_pct,
    100 * wilson_high(t.on_time, t.n) AS on_time_high_pct,
    t.median_days,
    t.n_days,
    t.actions,
    t.open_actions,
    t.overdue_actions,
    a.median AS open_action_median_age_days,
    coalesce(a.n, 0) AS n_action_ages,
    t.tested,
    100.0 * t.tested / nullif(t.n_wanted, 0) AS test_added_pct,
    100 * wilson_low(t.tested, t.n_wanted) AS test_added_low_pct,
    100 * wilson_high(t.tested, t.n_wanted) AS test_added_high_pct
FROM told AS t
JOIN core.windows AS w ON w.window_id = t.window_id
JOIN core.scope_members AS m ON m.member_id = t.member_id
LEFT JOIN ages AS a ON a.window_id = t.window_id AND a.member_id = t.member_id
ORDER BY m.scope, m.scope_value, w.window_start NULLS FIRST
