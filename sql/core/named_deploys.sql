/*
description = """The deploys that incidents name as what introduced them, one row per record and name: in a field that is mapped to introduced_by, or by a
line of links.csv. An address or a commit is a deploy anywhere; a version or an id is one of the incident's service. Of deploys of one
commit, such as re-runs, the last one before the impact is meant. A name that fits deploys of several commits or services stands
for none of them."""
not_null = ["source", "external_id", "target", "incident_id", "n_deploys"]
unique = [["source", "external_id", "target", "incident_id"]]

[assert]
none_is_no_link = "n_deploys > 0 OR deploy_no IS NULL"

[columns]
source = "the account of the record"
external_id = "the vendor's id of the record"
target = "the name, as written; of a line of links.csv, the source and the id of the deploy"
line = "the line of links.csv; NULL where a field names the deploy"
incident_id = "the counted incident of the record"
n_deploys = "deploys that the name fits best: those of the incident's service before others, then those to production"
deploy_no = "the deploy that is meant, as in core.deploys; NULL where the name fits none, or several that are not one commit of one service"
*/
WITH records AS (
    SELECT coalesce(g.deploy_no, r.record_no) AS deploy_no, r.*
    FROM core.deploy_records AS r
    LEFT JOIN core.deploy_groups AS g ON g.record_no = r.record_no
),
wanted AS MATERIALIZED (
    SELECT DISTINCT l.source, l.external_id, l.target, s.incident_id, i.service, canonical_url(l.target) AS address,
        coalesce(i.occurred_at, i.detected_at) AS began_at,
        CASE WHEN regexp_full_match(l.target, '(?i)[0-9a-f]{7,64}') THEN left(lower(l.target), 7) END AS commit_key
    FROM staging.links AS l
    JOIN core.incident_sources AS s ON s.source = l.source AND s.external_id = l.external_id
    JOIN core.incidents AS i ON i.incident_id = s.incident_id AND i.is_counted
    WHERE l.target_kind = 'deploy'
),
decided AS (
    SELECT d.source, d.external_id, d.other_source || ' ' || d.other_external_id AS target, s.incident_id, i.service,
        coalesce(i.occurred_at, i.detected_at) AS began_at, d.other_source, d.other_external_id, min(d.line) AS line
    FROM config.decisions AS d
    JOIN core.incident_sources AS s ON s.source = d.source AND s.external_id = d.external_id
    JOIN core.incidents AS i ON i.incident_id = s.incident_id AND i.is_counted
    WHERE d.decision = 'introduced'
    GROUP BY ALL
),
pointed AS (
    SELECT w.source, w.external_id, w.target, w.incident_id, w.service, w.began_at, r.deploy_no, true AS is_sure
    FROM wanted AS w JOIN (SELECT deploy_no, canonical_url(url) AS address FROM records WHERE url IS NOT NULL) AS r ON r.address = w.address
    UNION
    SELECT w.source, w.external_id, w.target, w.incident_id, w.service, w.began_at, r.deploy_no, true
    FROM wanted AS w JOIN records AS r ON r.commit_key = w.commit_key
    UNION
    SELECT w.source, w.external_id, w.target, w.incident_id, w.service, w.began_at, r.deploy_no, false
    FROM wanted AS w JOIN records AS r ON r.version = w.target
    UNION
    SELECT w.source, w.external_id, w.target, w.incident_id, w.service, w.began_at, r.deploy_no, false
    FROM wanted AS w JOIN records AS r ON r.external_id = w.target
    UNION
    SELECT d.source, d.external_id, d.target, d.incident_id, d.service, d.began_at, r.deploy_no, true
    FROM decided AS d JOIN records AS r ON r.source = d.other_source AND r.external_id = d.other_external_id
),
fitting AS (
    SELECT p.source, p.external_id, p.target, p.incident_id, p.began_at, p.deploy_no, d.deploy_id, d.service, d.finished_at, d.version, k.commit_key
    FROM pointed AS p
    JOIN core.deploys AS d ON d.deploy_no = p.deploy_no
    LEFT JOIN (SELECT deploy_no, min(commit_key) AS commit_key FROM records GROUP BY deploy_no) AS k ON k.deploy_no = p.deploy_no
    WHERE p.is_sure OR d.service = p.service
    QUALIFY rank() OVER (
        PARTITION BY p.source, p.external_id, p.target, p.incident_id ORDER BY d.service IS DISTINCT FROM p.service, NOT d.is_production) = 1
),
chosen AS (
    SELECT source, external_id, target, incident_id, count(DISTINCT deploy_no) AS n_deploys,
        CASE WHEN count(DISTINCT coalesce(service, '')) = 1 AND count(DISTINCT commit_key) <= 1
                AND (count(commit_key) = count(*) OR count(DISTINCT version) <= 1)
            THEN first(deploy_no ORDER BY coalesce(finished_at > began_at, true), abs(epoch_us(began_at) - epoch_us(finished_at)) NULLS LAST, deploy_id)
        END AS deploy_no
    FROM fitting
    GROUP BY source, external_id, target, incident_id
)
SELECT w.source, w.external_id, w.target, w.line, w.incident_id, coalesce(c.n_deploys, 0) AS n_deploys, c.deploy_no
FROM (
    SELECT source, external_id, target, NULL AS line, incident_id FROM wanted
    UNION ALL
    SELECT source, external_id, target, line, incident_id FROM decided
) AS w
LEFT JOIN chosen AS c ON c.source = w.source AND c.external_id = w.external_id AND c.target = w.target AND c.incident_id = w.incident_id
ORDER BY w.source, w.external_id, w.target, w.incident_id
