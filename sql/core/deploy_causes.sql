/*
description = """What deploys are said to have caused, one row per deploy and name, with the incident that the name stands for. A name is the id, the
key or the address of a record; a record of the deploy's own source goes before those of others. A name that fits several incidents
stands for none of them."""
not_null = ["deploy_no", "source", "target", "n_incidents"]
unique = [["deploy_no", "target"]]

[assert]
only_one_is_a_link = "(n_incidents = 1) = (incident_id IS NOT NULL)"

[columns]
deploy_no = "the deploy, as in core.deploys"
source = "the account that says it"
target = "the name, without blanks around it"
n_incidents = "counted incidents that the name fits"
incident_id = "the incident; NULL unless the name fits exactly one"
*/
WITH named AS MATERIALIZED (
    SELECT DISTINCT d.deploy_no, d.source, trim(d.target) AS target
    FROM (
        SELECT coalesce(g.deploy_no, r.record_no) AS deploy_no, r.source, unnest(r.caused) AS target
        FROM core.deploy_records AS r
        LEFT JOIN core.deploy_groups AS g ON g.record_no = r.record_no
    ) AS d
    WHERE trim(d.target) <> ''
),
found AS (
    SELECT n.deploy_no, n.target, n.source = r.source AS is_own, r.source, r.external_id
    FROM named AS n JOIN core.vendor_records AS r ON r.external_id = n.target
    UNION
    SELECT n.deploy_no, n.target, n.source = r.source, r.source, r.external_id
    FROM named AS n JOIN core.vendor_records AS r ON upper(r.key) = upper(n.target)
    UNION
    SELECT n.deploy_no, n.target, n.source = r.source, r.source, r.external_id
    FROM (SELECT *, canonical_url(target) AS address FROM named WHERE contains(target, '://')) AS n
    JOIN (
        SELECT source, external_id, canonical_url(url) AS address
        FROM core.vendor_records
        WHERE url IS NOT NULL AND (SELECT count(*) > 0 FROM named WHERE contains(target, '://'))
    ) AS r ON r.address = n.address
),
-- Of several episodes, the one that began nearest to the deploy.
nearest AS (
    SELECT f.deploy_no, f.target, f.is_own, f.source, f.external_id,
        arg_min(s.incident_id, (abs(epoch_us(i.started_at) - coalesce(epoch_us(d.finished_at), epoch_us(i.started_at))), s.episode)) AS incident_id
    FROM found AS f
    JOIN core.incident_sources AS s ON s.source = f.source AND s.external_id = f.external_id
    JOIN core.incidents AS i ON i.incident_id = s.incident_id AND i.is_counted
    JOIN core.deploys AS d ON d.deploy_no = f.deploy_no
    GROUP BY ALL
),
fitting AS (
    SELECT deploy_no, target, count(DISTINCT incident_id) AS n_incidents, min(incident_id) AS incident_id
    FROM (SELECT * FROM nearest QUALIFY is_own = bool_or(is_own) OVER (PARTITION BY deploy_no, target))
    GROUP BY deploy_no, target
)
SELECT
    n.deploy_no,
    min(n.source) AS source,
    n.target,
    coalesce(any_value(f.n_incidents), 0) AS n_incidents,
    CASE WHEN any_value(f.n_incidents) = 1 THEN any_value(f.incident_id) END AS incident_id
FROM named AS n
LEFT JOIN fitting AS f ON f.deploy_no = n.deploy_no AND f.target = n.target
GROUP BY n.deploy_no, n.target
ORDER BY n.deploy_no, n.target
