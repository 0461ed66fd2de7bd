/*
description = """Software delivery figures per service, team and all, over the whole history, the last 30 days and the 30 days before. Deploys are those to
production that ran, at their finish; incidents count where they began. No data is NULL, never 0. Definitions after DORA (dora.dev, Software
delivery performance metrics): change failure rate, failed deployment recovery time, deployment rework rate, deployment frequency and
change lead time. A service has rows when any deploy of it is known."""
published = true
like = "figures.deploy_recoveries"
not_null = ["scope", "scope_value", "as_of", "deploys", "failed_deploys", "n_recovered", "n_recovery_open", "n_lead_time", "n_incidents", "n_linked", "n_explicit", "n_window", "n_deploy_to_detect", "n_detected_before_deploy"]
unique = [["scope", "scope_value", "window_start"]]

[assert]
parts_of_the_whole = "failed_deploys <= deploys AND n_linked <= n_incidents AND n_explicit + n_window = n_linked AND n_lead_time <= deploys AND rework_deploys <= deploys"
no_data_is_null = "(deploys = 0) = (change_failure_pct IS NULL) AND (n_lead_time = 0) = (lead_time_median_minutes IS NULL) AND (n_deploy_to_detect = 0) = (deploy_to_detect_median_minutes IS NULL)"
limits_enclose = "change_failure_low_pct <= change_failure_pct AND change_failure_pct <= change_failure_high_pct"
never_negative = "lead_time_median_minutes >= 0 AND deploy_to_detect_median_minutes >= 0 AND deploys_per_day >= 0"

[columns]
window_start = "first instant of the window; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
scope = "all, service or team"
scope_value = "the member; `unknown` where a deploy has no service, or its service no team"
deploys = "production deploys that ran: successful, or rolled back later. Rollbacks are deploys too"
failed_deploys = "those that introduced an incident or were rolled back"
change_failure_pct = "change failure rate: 100 * failed_deploys / deploys; NULL without a deploy"
change_failure_low_pct = "lower 95 % limit (Wilson)"
change_failure_high_pct = "upper 95 % limit (Wilson)"
recovery_median_minutes = "failed deployment recovery time: Kaplan-Meier median of the minutes from the finish of a deploy until the incidents that it introduced were mitigated, else resolved. Open ones count as lasting at least until as_of. NULL when not reached"
recovery_median_low = "="
recovery_median_high = "="
recovery_text = "="
n_recovered = "deploys that were recovered from: the events behind the median"
n_recovery_open = "deploys with an incident that is still open: censored"
rework_deploys = "deploys within seven days of an incident of their service that are a rollback, or whose title, commits or notes name the incident or its ticket; NULL where nothing tells"
rework_pct = "deployment rework rate: 100 * rework_deploys / deploys; NULL where no deploy carries a version, a commit, a title or a note"
rework_low_pct = "lower 95 % limit (Wilson)"
rework_high_pct = "upper 95 % limit (Wilson)"
deploys_per_day = "deployment frequency: deploys / days; NULL below one day"
days = "length of the window from the first production deploy of all on, in days"
lead_time_median_minutes = "change lead time: median minutes from the author date of the earliest commit that a deploy brings out first, to its finish"
n_lead_time = "deploys whose commits are known and whose finish is known exactly or to the end of its job"
n_incidents = "counted incidents that began in the window, from the first production deploy of all on"
n_linked = "those that a deploy introduced, by an explicit link or by window and service"
n_explicit = "of n_linked: those with an explicit link"
n_window = "of n_linked: those with a deploy of the window only"
link_pct = "100 * n_linked / n_incidents; NULL without an incident"
deploy_to_detect_median_minutes = "median minutes from the finish of the deploy that introduced an incident to its detection"
n_deploy_to_detect = "pairs of incident and deploy behind it"
n_detected_before_deploy = "pairs where the detection is before the finish of the deploy: the clocks disagree, and they are in no median"
*/
WITH began AS (
    SELECT min(finished_us) AS history_us FROM facts.deployed
),
spans AS (
    SELECT
        w.window_id, w.window_start, w.window_end, w.as_of,
        greatest(0, epoch_us(coalesce(w.window_end, w.as_of)) - greatest(b.history_us, coalesce(epoch_us(w.window_start), b.history_us))) / 8.64e10 AS days
    FROM core.windows AS w
    CROSS JOIN began AS b
),
deployed AS (
    SELECT
        w.window_id, d.member_id, count(*) AS deploys, count(*) FILTER (d.has_failed) AS failed_deploys, count(*) FILTER (d.is_rework) AS rework_deploys,
        bool_or(d.tells) AS tells, quantile_cont(d.lead_us, 0.5) / 6e7 AS lead_time_median_minutes, count(d.lead_us) AS n_lead_time
    FROM (SELECT unnest([0, service_id, team_id]) AS member_id, * FROM facts.deployed) AS d
    JOIN core.windows AS w ON w.name = 'whole' OR (d.finished_us >= epoch_us(w.window_start) AND d.finished_us < epoch_us(w.window_end))
    GROUP BY ALL
),
linked AS (
    SELECT incident_id, bool_or(method = 'explicit') AS is_explicit FROM core.incident_deploys GROUP BY incident_id
),
-- Incidents of all services count for all, also of those without a deploy. They are many: they are counted once, and then added up.
incidents AS MATERIALIZED (
    SELECT
        coalesce(i.service, 'unknown') AS service, coalesce(i.team, 'unknown') AS team, w.window_id, count(*) AS n, count(l.incident_id) AS n_linked,
        count(CASE WHEN l.is_explicit THEN 1 END) AS n_explicit
    FROM core.incidents AS i
    CROSS JOIN began AS b
    -- The last two windows do not overlap.
    LEFT JOIN core.windows AS w ON w.name <> 'whole' AND i.started_at >= w.window_start AND i.started_at < w.window_end
    LEFT JOIN linked AS l ON l.incident_id = i.incident_id
    WHERE i.is_counted AND epoch_us(i.started_at) >= b.history_us
    GROUP BY ALL
),
scoped AS (
    SELECT 'all' AS scope, 'all' AS scope_value, window_id, n, n_linked, n_explicit FROM incidents
    UNION ALL
    SELECT 'service', service, window_id, n, n_linked, n_explicit FROM incidents
    UNION ALL
    SELECT 'team', team, window_id, n, n_linked, n_explicit FROM incidents
),
shares AS (
    SELECT w.window_id, m.member_id, sum(s.n)::BIGINT AS n_incidents, sum(s.n_linked)::BIGINT AS n_linked, sum(s.n_explicit)::BIGINT AS n_explicit
    FROM scoped AS s
    JOIN core.delivery_members AS m ON m.scope = s.scope AND m.scope_value = s.scope_value
    JOIN core.windows AS w ON w.name = 'whole' OR w.window_id = s.window_id
    GROUP BY ALL
),
detected AS (
    SELECT
        w.window_id, d.member_id, quantile_cont(CASE WHEN d.detect_minutes >= 0 THEN d.detect_minutes END, 0.5) AS deploy_to_detect_median_minutes,
        count(*) FILTER (d.detect_minutes >= 0) AS n_deploy_to_detect, count(*) FILTER (d.detect_minutes < 0) AS n_detected_before_deploy
    FROM (
        SELECT unnest([0, f.service_id, f.team_id]) AS member_id, f.finished_us, l.detect_minutes
        FROM core.incident_deploys AS l JOIN facts.deployed AS f ON f.deploy_no = l.deploy_no
    ) AS d
    JOIN core.windows AS w ON w.name = 'whole' OR (d.finished_us >= epoch_us(w.window_start) AND d.finished_us < epoch_us(w.window_end))
    GROUP BY ALL
)
SELECT
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(w.as_of)) AS as_of,
    m.scope,
    m.scope_value,
    coalesce(d.deploys, 0) AS deploys,
    coalesce(d.failed_deploys, 0) AS failed_deploys,
    100.0 * d.failed_deploys / d.deploys AS change_failure_pct,
    100 * wilson_low(d.failed_deploys, d.deploys) AS change_failure_low_pct,
    100 * wilson_high(d.failed_deploys, d.deploys) AS change_failure_high_pct,
    r.recovery_median_minutes,
    r.recovery_median_low,
    r.recovery_median_high,
    r.recovery_text,
    coalesce(r.n_events, 0) AS n_recovered,
    coalesce(r.n_open, 0) AS n_recovery_open,
    CASE WHEN d.tells THEN d.rework_deploys END AS rework_deploys,
    CASE WHEN d.tells THEN 100.0 * d.rework_deploys / d.deploys END AS rework_pct,
    CASE WHEN d.tells THEN 100 * wilson_low(d.rework_deploys, d.deploys) END AS rework_low_pct,
    CASE WHEN d.tells THEN 100 * wilson_high(d.rework_deploys, d.deploys) END AS rework_high_pct,
    CASE WHEN w.days >= 1 THEN coalesce(d.deploys, 0) / w.days END AS deploys_per_day,
    w.days,
    d.lead_time_median_minutes,
    coalesce(d.n_lead_time, 0) AS n_lead_time,
    coalesce(s.n_incidents, 0) AS n_incidents,
    coalesce(s.n_linked, 0) AS n_linked,
    coalesce(s.n_explicit, 0) AS n_explicit,
    coalesce(s.n_linked - s.n_explicit, 0) AS n_window,
    100.0 * s.n_linked / nullif(s.n_incidents, 0) AS link_pct,
    t.deploy_to_detect_median_minutes,
    coalesce(t.n_deploy_to_detect, 0) AS n_deploy_to_detect,
    coalesce(t.n_detected_before_deploy, 0) AS n_detected_before_deploy
FROM spans AS w
CROSS JOIN core.delivery_members AS m
LEFT JOIN deployed AS d ON d.window_id = w.window_id AND d.member_id = m.member_id
LEFT JOIN figures.deploy_recoveries AS r ON r.window_id = w.window_id AND r.member_id = m.member_id
LEFT JOIN shares AS s ON s.window_id = w.window_id AND s.member_id = m.member_id
LEFT JOIN detected AS t ON t.window_id = w.window_id AND t.member_id = m.member_id
WHERE m.scope <> 'all' OR EXISTS (FROM core.deploys)
ORDER BY m.scope, m.scope_value, w.window_start NULLS FIRST
