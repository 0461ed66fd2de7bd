/*
description = """Which deploy introduced an incident, one row per incident and deploy. A deploy that is said to have caused it (`explicit`) goes before
all others: by the deploy's own record, by a field that is mapped to introduced_by, by an error that is linked to the incident and began
with a version which the deploy brought out, or by a line of links.csv, which can also refuse one. Else it is, of each service of the incident, the latest successful production deploy that is no rollback, whose finish is known
exactly or to the end of its job, and that finished within the configured window (default 60 min) before the impact began:
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
-- What records say of the deploy that introduced them: in a field, or by a decision. A version or an id is one of their service; an
-- address or a commit is it anywhere.
WITH records AS (
    SELECT coalesce(g.deploy_no, r.record_no) AS deploy_no, r.*
    FROM core.deploy_records AS r
    LEFT JOIN core.deploy_groups AS g ON g.record_no = r.record_no
),
wanted AS (
    SELECT l.source, l.external_id, l.target, canonical_url(l.target) AS address,
        CASE WHEN regexp_full_match(l.target, '(?i)[0-9a-f]{7,64}') THEN left(lower(l.target), 7) END AS commit_key
    FROM staging.links AS l
    WHERE l.target_kind = 'deploy'
),
pointed AS (
    SELECT w.source, w.external_id, w.target, r.deploy_no, true AS is_sure
    FROM wanted AS w JOIN (SELECT deploy_no, canonical_url(url) AS address FROM records WHERE url IS NOT NULL) AS r ON r.address = w.address
    UNION
    SELECT w.source, w.external_id, w.target, r.deploy_no, true
    FROM wanted AS w JOIN records AS r ON r.commit_key = w.commit_key
    UNION
    SELECT w.source, w.external_id, w.target, r.deploy_no, false
    FROM wanted AS w JOIN records AS r ON r.version = w.target OR r.external_id = w.target
    UNION
    SELECT d.source, d.external_id, d.other_source || chr(31) || d.other_external_id, r.deploy_no, true
    FROM config.decisions AS d
    JOIN records AS r ON r.source = d.other_source AND r.external_id = d.other_external_id
    WHERE d.decision = 'introduced'
),
-- Of several that fit, such as re-runs, the one of the service, in production, that was over last before the impact began.
chosen AS (
    SELECT p.source, p.external_id, p.target, i.incident_id, p.deploy_no
    FROM pointed AS p
    JOIN core.incident_sources AS s ON s.source = p.source AND s.external_id = p.external_id
    JOIN core.incidents AS i ON i.incident_id = s.incident_id AND i.is_counted
    JOIN core.deploys AS d ON d.deploy_no = p.deploy_no
    WHERE p.is_sure OR d.service = i.service
    QUALIFY row_number() OVER (
        PARTITION BY p.source, p.external_id, p.target, i.incident_id
        ORDER BY d.service IS DISTINCT FROM i.service, NOT d.is_production, coalesce(d.finished_at > coalesce(i.occurred_at, i.detected_at), true),
            abs(epoch_us(coalesce(i.occurred_at, i.detected_at)) - epoch_us(d.finished_at)), d.deploy_id) = 1
),
refused AS (
    SELECT DISTINCT s.incident_id, r.deploy_no
    FROM config.decisions AS d
    JOIN records AS r ON r.source = d.other_source AND r.external_id = d.other_external_id
    JOIN core.incident_sources AS s ON s.source = d.source AND s.external_id = d.external_id
    WHERE d.decision = 'not introduced'
),
explicit AS (
    SELECT DISTINCT e.incident_id, e.deploy_no
    FROM (
        SELECT deploy_no, incident_id FROM core.deploy_causes WHERE incident_id IS NOT NULL
        UNION
        SELECT deploy_no, incident_id FROM chosen
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
