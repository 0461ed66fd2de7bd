/*
description = """Noise: incidents of a monitor that resolved automatically and that nobody acknowledged, of all that a pager or a machine alert tells of, per
window, for all, per severity, service, team and alert rule; and the pages that they cost. A rule is the name that the source keeps, such as
alertname, else what the titles of its alerts have in common: ids and numbers are left out. A rule with one incident in a window has no row
there. Tickets alone are no alerts and are left out."""
published = true
not_null = ["scope", "scope_value", "as_of", "n", "noise", "noise_pct", "pages", "night_pages", "noise_pages", "noise_night_pages"]
unique = [["scope", "scope_value", "source", "window_start"]]

[assert]
parts_of_the_whole = "noise <= n AND noise_pages <= pages AND night_pages <= pages AND noise_night_pages <= least(night_pages, noise_pages)"
limits_enclose = "noise_low_pct <= noise_pct AND noise_pct <= noise_high_pct"
rules_have_a_source = "(scope = 'rule') = (source IS NOT NULL)"

[columns]
window_start = "first instant of the window; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
scope = "all, severity, service, team or rule"
scope_value = "the member; `unknown` where an incident has no service or team"
source = "source of the alerts of a rule; NULL for the other scopes"
n = "incidents that a pager or a machine alert tells of"
noise = "those that resolved automatically and that nobody acknowledged"
noise_pct = "100 * noise / n"
noise_low_pct = "lower 95 % limit (Wilson)"
noise_high_pct = "upper 95 % limit (Wilson)"
pages = "pages for all of them, see oncall_load"
night_pages = "those at night, 22 to 8 h"
noise_pages = "pages for noise"
noise_night_pages = "those at night"
*/
WITH cells AS (
    SELECT
        severity_id, service_id, team_id, rule_source, alert_rule, window_id, count(*) AS n, count(CASE WHEN is_noise THEN 1 END) AS noise,
        sum(pages) AS pages, sum(night_pages) AS night_pages, sum(CASE WHEN is_noise THEN pages ELSE 0 END) AS noise_pages,
        sum(CASE WHEN is_noise THEN night_pages ELSE 0 END) AS noise_night_pages
    FROM facts.learned
    WHERE alert_rule IS NOT NULL
    GROUP BY ALL
),
placed AS (
    SELECT m.scope, m.scope_value, NULL::VARCHAR AS source, c.* EXCLUDE (member_id, severity_id, service_id, team_id, rule_source, alert_rule)
    FROM (SELECT unnest([0, severity_id, service_id, team_id]) AS member_id, * FROM cells) AS c
    JOIN core.scope_members AS m ON m.member_id = c.member_id
    UNION ALL
    SELECT 'rule', alert_rule, rule_source, * EXCLUDE (severity_id, service_id, team_id, rule_source, alert_rule) FROM cells
),
counted AS (
    SELECT
        w.window_start, w.window_end, w.as_of, p.scope, p.scope_value, p.source, sum(p.n)::BIGINT AS n, sum(p.noise)::BIGINT AS noise,
        sum(p.pages)::BIGINT AS pages, sum(p.night_pages)::BIGINT AS night_pages, sum(p.noise_pages)::BIGINT AS noise_pages,
        sum(p.noise_night_pages)::BIGINT AS noise_night_pages
    FROM placed AS p
    JOIN core.windows AS w ON w.name = 'whole' OR w.window_id = p.window_id
    GROUP BY ALL
)
SELECT
    make_timestamptz(epoch_us(window_start)) AS window_start,
    make_timestamptz(epoch_us(window_end)) AS window_end,
    make_timestamptz(epoch_us(as_of)) AS as_of,
    scope,
    scope_value,
    source,
    n,
    noise,
    100.0 * noise / n AS noise_pct,
    100 * wilson_low(noise, n) AS noise_low_pct,
    100 * wilson_high(noise, n) AS noise_high_pct,
    pages,
    night_pages,
    noise_pages,
    noise_night_pages
FROM counted
WHERE scope <> 'rule' OR n >= 2
ORDER BY scope, scope_value, source NULLS FIRST, window_start NULLS FIRST
