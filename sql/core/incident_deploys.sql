/*
description = """Which deploy introduced an incident, one row per incident and deploy. A deploy that is said to have caused it (`explicit`) goes before
all others: by the deploy's own record, by a field that is mapped to introduced_by, by an error that is linked to the incident and began
with a version which the deploy brought out, or by a line of links.csv, which can also refuse one. Else it is, of each service of the
incident, the latest successful production deploy that is no rollback, whose finish is known exactly or to the end of its job, and that finished within the configured window (default 60 min) before the impact began:
occurred_at, else detected_at (`window`). Nothing is forced: an incident without such a deploy has no row. A name that fits several
incidents, or several deploys, is no link."""
not_null = ["incident_id", "deploy_id", "deploy_no", "method"]
unique = [["incident_id", "deploy_id"]]

[assert]
known_method = "method IN ('explicit', 'window')"
no_window_ends_before_the_deploy = "method = 'explicit' OR minutes_before >= 0"

[columns]
incident_id = "the incident"
deploy_id = "the deploy that introduced it"
deploy_no = "its number in core.deploys"
service = "service of the deploy"
method = "explicit or window"
minutes_before = "minutes from the finish of the deploy to the begin of the impact; NULL where one of them is unknown"
detect_minutes = "deploy-to-detect: minutes from the finish of the deploy to detected_at, negative where the clocks disagree; NULL where one of them is unknown or the finish is not exact"
*/
WITH refused AS (
    SELECT DISTINCT s.incident_id, coalesce(g.deploy_no, r.record_no) AS deploy_no
    FROM config.decisions AS d
    JOIN core.deploy_records AS r ON r.source = d.other_source AND r.external_id = d.other_external_id
    LEFT JOIN core.deploy_groups AS g ON g.record_no = r.record_no
    JOIN core.incident_sources AS s ON s.source = d.source AND s.external_id = d.external_id
    WHERE d.decision = 'not introduced'
),
explicit AS (
    SELECT DISTINCT e.incident_id, e.deploy_no
    FROM (
        SELECT deploy_no, incident_id FROM core.deploy_causes WHERE incident_id IS NOT NULL
        UNION
        SELECT deploy_no, incident_id FROM core.named_deploys WHERE deploy_no IS NOT NULL
        UNION
        SELECT p.introduced_no, e.incident_id
        FROM core.error_incidents AS e
        JOIN core.error_episodes AS p ON p.source = e.source AND p.external_id = e.external_id AND p.episode = e.episode
        JOIN core.incidents AS i ON i.incident_id = e.incident_id AND i.is_counted
        WHERE p.introduced_no IS NOT NULL
    ) AS e
    ANTI JOIN refused AS r ON r.incident_id = e.incident_id AND r.deploy_no = e.deploy_no
),
-- The services of an incident: its own, and those of its other records.
affected AS (
    SELECT i.incident_id, i.service, epoch_us(coalesce(i.occurred_at, i.detected_at)) AS began_us
    FROM core.incidents AS i
    WHERE i.is_counted AND i.service IS NOT NULL AND coalesce(i.occurred_at, i.detected_at) IS NOT NULL
    UNION ALL
    SELECT DISTINCT i.incident_id, s.service, epoch_us(coalesce(i.occurred_at, i.detected_at))
    FROM core.members AS m
    JOIN core.standalone AS s ON s.record_id = m.record_id
    JOIN core.incidents AS i ON i.incident_id = m.incident_id
    WHERE m.role = 'member' AND i.is_counted AND s.service IS DISTINCT FROM i.service AND s.service IS NOT NULL
        AND coalesce(i.occurred_at, i.detected_at) IS NOT NULL
),
-- Time is cut into stretches as long as the window: a deploy can only have broken what began in its own stretch or in the next one.
spans AS (
    SELECT deploy_window_us AS window_us, greatest(deploy_window_us, 1) AS stretch_us FROM config.run
),
causes AS (
    SELECT service, finished_us, deploy_no, unnest([finished_us // s.stretch_us, finished_us // s.stretch_us + 1]) AS stretch
    FROM (
        SELECT service, epoch_us(finished_at) AS finished_us, min_by(deploy_no, deploy_id) AS deploy_no
        FROM core.deploys
        WHERE is_production AND status = 'success' AND NOT is_rollback AND finished_precision IN ('exact', 'job')
            AND finished_at IS NOT NULL AND service IS NOT NULL
        GROUP BY ALL
    )
    CROSS JOIN spans AS s
),
before AS (
    SELECT a.incident_id, arg_max(c.deploy_no, c.finished_us) AS deploy_no
    FROM (SELECT *, began_us // (SELECT stretch_us FROM spans) AS stretch FROM affected) AS a
    JOIN causes AS c ON c.service = a.service AND c.stretch = a.stretch
    WHERE a.began_us - c.finished_us BETWEEN 0 AND (SELECT window_us FROM spans)
    GROUP BY a.incident_id, a.service
),
linked AS (
    SELECT incident_id, deploy_no, 'explicit' AS method FROM explicit
    UNION ALL
    SELECT b.incident_id, b.deploy_no, 'window'
    FROM before AS b
    ANTI JOIN explicit AS e ON e.incident_id = b.incident_id
    ANTI JOIN refused AS r ON r.incident_id = b.incident_id AND r.deploy_no = b.deploy_no
)
SELECT
    l.incident_id,
    d.deploy_id,
    l.deploy_no,
    d.service,
    l.method,
    (epoch_us(coalesce(i.occurred_at, i.detected_at)) - epoch_us(d.finished_at)) / 6e7 AS minutes_before,
    CASE WHEN d.finished_precision IN ('exact', 'job') THEN (epoch_us(i.detected_at) - epoch_us(d.finished_at)) / 6e7 END AS detect_minutes
FROM linked AS l
JOIN core.deploys AS d ON d.deploy_no = l.deploy_no
JOIN core.incidents AS i ON i.incident_id = l.incident_id
ORDER BY l.incident_id, d.deploy_id
