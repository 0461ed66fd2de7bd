/*
description = """What being on call costs, per window, for all, per team and per rota (schedule or escalation policy), and per person where [oncall] per_person is
set. A page is the first notification of a pager's record where the source tells of notifications, else the record itself at its detection:
then nobody knows who was called, and when. A rota is known where the record names it. Who is on call without being called is not known, so
there is no load per shift."""
published = true
not_null = ["scope", "scope_value", "as_of", "pages", "night_pages", "interrupted_hours", "n_by_notification", "n_acknowledged"]
unique = [["scope", "scope_value", "window_start"]]

[assert]
parts_of_the_whole = "night_pages <= pages AND n_by_notification <= pages AND n_acknowledged <= pages AND interrupted_hours <= pages AND n_by_notification <= coalesce(notifications, 0)"
no_data_is_null = "(n_acknowledged = 0) = (acknowledgment_median_minutes IS NULL) AND (n_by_notification = 0) = (notifications IS NULL)"
never_negative = "acknowledgment_median_minutes >= 0"
known_scope = "scope IN ('all', 'team', 'rota', 'person')"

[columns]
window_start = "first instant of the window; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
scope = "all, team, rota or person"
scope_value = "the member; `unknown` where a record has no team; a pseudonym of a person"
pages = "pages in the window; one that called several rotas or persons counts for each"
night_pages = "those from 22 to 8 h by the clocks of the team, else of the report"
night_pct = "100 * night_pages / pages"
interrupted_hours = "clock hours with at least one page"
notifications = "notifications sent for these pages, where the source tells of them; of a person those to that person"
n_by_notification = "pages of which the source tells the notifications"
acknowledgment_median_minutes = "median minutes from the page to the acknowledgement by a person; pages without one are left out"
n_acknowledged = "pages behind it"
*/
WITH rotas AS (
    SELECT DISTINCT source, external_id, without_addresses(responder) AS rota
    FROM staging.responders
    WHERE kind IN ('schedule', 'escalation') AND text_or_null(responder) IS NOT NULL
),
-- Whom the log names; where it names nobody, who acknowledged.
persons AS (
    SELECT t.source, t.record_id, t.episode, p.shown, t.event_type, count(*) AS n
    FROM core.timeline AS t
    CROSS JOIN config.run AS run
    JOIN core.people AS p ON p.written = t.actor
    WHERE run.per_person AND t.event_type IN ('notified', 'acknowledged') AND NOT is_machine(t.actor_kind)
    GROUP BY ALL
),
called AS (
    SELECT *
    FROM persons
    QUALIFY event_type = 'notified' OR NOT bool_or(event_type = 'notified') OVER (PARTITION BY source, record_id, episode)
),
scoped AS (
    SELECT 'all' AS scope, 'all' AS scope_value, page_no, notifications FROM core.pages
    UNION ALL
    SELECT 'team', coalesce(team, 'unknown'), page_no, notifications FROM core.pages
    UNION ALL
    SELECT 'rota', r.rota, p.page_no, p.notifications
    FROM core.pages AS p JOIN rotas AS r ON r.source = p.source AND r.external_id = p.external_id
    UNION ALL
    SELECT 'person', c.shown, p.page_no, CASE WHEN p.by_notification THEN CASE WHEN c.event_type = 'notified' THEN c.n ELSE p.notifications END END
    FROM core.pages AS p
    JOIN called AS c ON c.source = p.source AND c.record_id = p.external_id AND c.episode = p.episode
),
counted AS (
    SELECT
        w.window_start, w.window_end, w.as_of, s.scope, s.scope_value, count(*) AS pages, count(CASE WHEN p.is_night THEN 1 END) AS night_pages,
        count(DISTINCT p.hour_no) AS interrupted_hours, sum(s.notifications)::BIGINT AS notifications,
        count(CASE WHEN p.by_notification THEN 1 END) AS n_by_notification, quantile_cont(p.acknowledged_us, 0.5) / 6e7 AS acknowledgment_median_minutes,
        count(p.acknowledged_us) AS n_acknowledged
    FROM scoped AS s
    JOIN core.pages AS p ON p.page_no = s.page_no
    JOIN core.windows AS w ON w.name = 'whole' OR (p.paged_us >= epoch_us(w.window_start) AND p.paged_us < epoch_us(w.window_end))
    GROUP BY ALL
)
SELECT
    make_timestamptz(epoch_us(window_start)) AS window_start,
    make_timestamptz(epoch_us(window_end)) AS window_end,
    make_timestamptz(epoch_us(as_of)) AS as_of,
    scope,
    scope_value,
    pages,
    night_pages,
    100.0 * night_pages / pages AS night_pct,
    interrupted_hours,
    notifications,
    n_by_notification,
    acknowledgment_median_minutes,
    n_acknowledged
FROM counted
ORDER BY scope, scope_value, window_start NULLS FIRST
