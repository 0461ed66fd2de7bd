/*
description = """Pages: one row per record and episode of a pager that called somebody. Where a source tells of notifications, a record without one
called nobody, and the page is the first of them; where it tells of none, every record is a page, at its detection. A record that was merged
later, and one that was no incident, called people too. What pages through alerts of the same account, as an incident tool does, is no
page itself. The night is 22 to 8 h by the clocks of the team, else of the report."""
not_null = ["page_no", "source", "external_id", "paged_us", "hour_no", "is_night", "by_notification"]
unique = [["page_no"], ["source", "external_id", "episode"]]

[assert]
notifications_where_known = "by_notification = (notifications IS NOT NULL)"
never_negative = "acknowledged_us >= 0"

[columns]
page_no = "number of the page"
incident_id = "incident that the record is counted under"
source = "source of the record"
external_id = "the record"
episode = "episode of the record"
team = "team of the record; NULL when unknown"
paged_us = "when it called first, in microseconds since 1970"
hour_no = "the clock hour of that in the zone of the team, counted from 1970"
is_night = "whether it is 22 to 8 h then"
by_notification = "whether the source tells of notifications; else the page is the record itself"
notifications = "notifications sent for it; NULL where the source tells of none"
acknowledged_us = "microseconds until somebody acknowledged the record; NULL without that, where a machine did, and before the page"
*/
WITH calls AS (
    SELECT source, record_id, episode, min(happened_at) AS paged_at, count(*) AS notifications
    FROM core.timeline
    WHERE event_type = 'notified'
    GROUP BY source, record_id, episode
),
telling AS (
    SELECT DISTINCT source FROM calls
),
paged AS (
    SELECT
        l.incident_id, s.source, s.external_id, s.episode, s.team, t.source IS NOT NULL AS by_notification, c.notifications,
        coalesce(c.paged_at, make_timestamp(epoch_us(s.detected_at))) AS paged_at,
        CASE WHEN NOT is_machine(s.acknowledged_by) THEN epoch_us(s.acknowledged_at) END AS acknowledged_us,
        coalesce(z.time_zone, run.reporting_time_zone) AS zone
    FROM core.standalone AS s
    CROSS JOIN config.run AS run
    JOIN config.record_sources AS r ON r.source = s.source AND r.account = s.source AND r.role = 'pager'
    JOIN core.incident_sources AS l ON l.record_id = s.record_id
    LEFT JOIN telling AS t ON t.source = s.source
    LEFT JOIN calls AS c ON c.source = s.source AND c.record_id = s.external_id AND c.episode = s.episode
    LEFT JOIN config.team_zones AS z ON z.team = normalized(s.team)
    WHERE CASE WHEN t.source IS NULL THEN s.detected_at IS NOT NULL ELSE c.paged_at IS NOT NULL END
),
clocked AS (
    SELECT *, local_of(paged_at, zone) AS local_at FROM paged
)
SELECT
    row_number() OVER (ORDER BY source, external_id, episode) - 1 AS page_no,
    incident_id,
    source,
    external_id,
    episode,
    team,
    epoch_us(paged_at) AS paged_us,
    epoch_us(local_at) // 3600000000 AS hour_no,
    hour(local_at) >= 22 OR hour(local_at) < 8 AS is_night,
    by_notification,
    notifications,
    CASE WHEN acknowledged_us >= epoch_us(paged_at) THEN acknowledged_us - epoch_us(paged_at) END AS acknowledged_us
FROM clocked
