/*
description = """Production deploys that repair: within seven days after an incident of their service began, and a rollback, or a deploy whose title,
commits or notes name such an incident, its ticket or an error that is linked to it."""
not_null = ["deploy_no"]
unique = [["deploy_no"]]

[columns]
deploy_no = "the deploy, as in core.deploys"
*/
WITH produced AS (
    SELECT deploy_no, service, is_rollback, epoch_us(finished_at) AS finished_us
    FROM core.deploys
    WHERE is_production AND status IN ('success', 'rolled_back') AND finished_at IS NOT NULL AND service IS NOT NULL
),
-- Time is cut into weeks: an incident of the seven days before began in the week of the rollback or in the one before.
undone AS (
    SELECT DISTINCT p.deploy_no
    FROM (
        SELECT *, unnest([finished_us // 604800000000, finished_us // 604800000000 - 1]) AS week FROM produced WHERE is_rollback
    ) AS p
    JOIN (
        SELECT service, epoch_us(started_at) AS started_us, epoch_us(started_at) // 604800000000 AS week FROM core.incidents WHERE is_counted
    ) AS i ON i.service = p.service AND i.week = p.week
    WHERE p.finished_us - i.started_us BETWEEN 0 AND 604800000000
),
texts AS (
    SELECT coalesce(g.deploy_no, r.record_no) AS deploy_no, unnest(list_concat([r.title], r.texts)) AS "text"
    FROM core.deploy_records AS r
    LEFT JOIN core.deploy_groups AS g ON g.record_no = r.record_no
),
targets AS MATERIALIZED (
    SELECT DISTINCT *
    FROM (
        SELECT deploy_no, unnest(targets_in("text", true), recursive := true) FROM texts WHERE regexp_matches("text", '-[1-9]|://')
    )
),
records AS (
    SELECT t.deploy_no, r.source, r.external_id
    FROM targets AS t JOIN core.vendor_records AS r ON upper(r.key) = t.target WHERE t.target_kind = 'key'
    UNION
    SELECT t.deploy_no, r.source, r.external_id
    FROM targets AS t JOIN core.vendor_records AS r ON r.external_id = t.target WHERE t.target_kind = 'key' AND NOT is_short_id(t.target)
    UNION
    SELECT t.deploy_no, r.source, r.external_id
    FROM targets AS t
    JOIN (
        SELECT source, external_id, canonical_url(url) AS address
        FROM core.vendor_records
        WHERE url IS NOT NULL AND (SELECT count(*) > 0 FROM targets WHERE target_kind = 'url')
    ) AS r ON r.address = t.target
    WHERE t.target_kind = 'url'
)
SELECT deploy_no FROM undone
UNION
SELECT p.deploy_no
FROM records AS r
JOIN produced AS p ON p.deploy_no = r.deploy_no
JOIN core.incident_sources AS s ON s.source = r.source AND s.external_id = r.external_id
JOIN core.incidents AS i ON i.incident_id = s.incident_id AND i.is_counted AND i.service = p.service
WHERE p.finished_us - epoch_us(i.started_at) BETWEEN 0 AND 604800000000
UNION
SELECT p.deploy_no
FROM core.error_mentions AS m
JOIN produced AS p ON p.deploy_no = m.deploy_no
JOIN core.error_incidents AS e ON e.source = m.source AND e.external_id = m.external_id
JOIN core.incidents AS i ON i.incident_id = e.incident_id AND i.is_counted AND i.service = p.service
WHERE p.finished_us - epoch_us(i.started_at) BETWEEN 0 AND 604800000000
