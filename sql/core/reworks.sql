/*
description = """Production deploys that repair: within seven days after an incident of their service began, and a rollback, or a deploy whose title,
commits or notes name such an incident or its ticket."""
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
incidents AS (
    SELECT i.service, epoch_us(i.started_at) AS started_us
    FROM core.incidents AS i
    SEMI JOIN produced AS p ON p.service = i.service
    WHERE i.is_counted
),
undone AS (
    SELECT p.deploy_no
    FROM (SELECT * FROM produced WHERE is_rollback) AS p
    ASOF JOIN incidents AS i ON i.service = p.service AND i.started_us <= p.finished_us
    WHERE p.finished_us - i.started_us <= 604800000000
),
texts AS (
    SELECT coalesce(g.deploy_no, r.record_no) AS deploy_no, unnest(list_concat([r.title], r.texts)) AS "text"
    FROM core.deploy_records AS r
    LEFT JOIN core.deploy_groups AS g ON g.record_no = r.record_no
),
targets AS (
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
    FROM targets AS t JOIN core.vendor_records AS r ON r.external_id = t.target WHERE t.target_kind = 'key'
    UNION
    SELECT t.deploy_no, r.source, r.external_id
    FROM targets AS t
    JOIN (SELECT source, external_id, canonical_url(url) AS address FROM core.vendor_records WHERE url IS NOT NULL) AS r ON r.address = t.target
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
