/*
description = """Which deploy introduced an incident, one row per incident and deploy. A deploy that is said to have caused it (`explicit`) goes before
all others. Else it is, of each service of the incident, the latest successful production deploy that is no rollback, whose finish is
known exactly or to the end of its job, and that finished within the configured window (default 60 min) before the impact began:
occurred_at, else detected_at (`window`). Nothing is forced: an incident without such a deploy has no row. A name that fits several
incidents is no link."""
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
WITH explicit AS (
    SELECT DISTINCT deploy_no, incident_id FROM core.deploy_causes WHERE incident_id IS NOT NULL
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
causes AS (
    SELECT service, epoch_us(finished_at) AS finished_us, min_by(deploy_no, deploy_id) AS deploy_no
    FROM core.deploys
    WHERE is_production AND status = 'success' AND NOT is_rollback AND finished_precision IN ('exact', 'job') AND finished_at IS NOT NULL
        AND service IS NOT NULL
    GROUP BY ALL
),
before AS (
    SELECT a.incident_id, c.deploy_no, a.began_us - c.finished_us AS before_us
    FROM (SELECT a.* FROM affected AS a SEMI JOIN causes AS c ON c.service = a.service) AS a
    ASOF JOIN causes AS c ON c.service = a.service AND c.finished_us <= a.began_us
),
linked AS (
    SELECT incident_id, deploy_no, 'explicit' AS method FROM explicit
    UNION ALL
    SELECT b.incident_id, b.deploy_no, 'window'
    FROM before AS b
    CROSS JOIN config.run AS run
    ANTI JOIN explicit AS e ON e.incident_id = b.incident_id
    WHERE b.before_us <= run.deploy_window_us
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
