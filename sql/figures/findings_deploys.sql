/*
description = """Data quality findings about deploys: what keeps them out of figures and links, and what is known about them only roughly. A source
without deploys has no row. Environments that no map contains are words, see findings_words."""
view = true
like = "figures.findings_words"
*/
WITH known AS (
    SELECT
        r.source, coalesce(r.title, readable_version(r.version), r.external_id) AS name, r.status, r.finished_at, r.finished_precision, r.service, r.is_production, r.record_no,
        s.started_at > s.finished_at AS ends_first, s.started_at IS NOT NULL AND s.finished_at IS NOT NULL AS has_both
    FROM core.deploy_records AS r
    LEFT JOIN (
        SELECT source, external_id, max(started_at) AS started_at, max(finished_at) AS finished_at FROM staging.deploys GROUP BY ALL
    ) AS s ON s.source = r.source AND s.external_id = r.external_id
),
record_checks AS (
    SELECT source, unnest([
            {dq_check: 'deploy_without_finish', n: count(*) FILTER (is_production AND status IS NOT NULL AND finished_at IS NULL),
                total: count(*) FILTER (is_production AND status IS NOT NULL), level: 'warn',
                meaning: 'production deploys that are over but of which nothing says when: they are in no delivery figure',
                examples: (list(name ORDER BY name) FILTER (is_production AND status IS NOT NULL AND finished_at IS NULL))[1:5]},
            {dq_check: 'deploy_without_service', n: count(*) FILTER (is_production AND service IS NULL), total: count(*) FILTER (is_production),
                level: 'warn', meaning: 'production deploys without a service: no incident is linked to them by time',
                examples: (list(name ORDER BY name) FILTER (is_production AND service IS NULL))[1:5]},
            {dq_check: 'deploy_finish_not_exact', n: count(*) FILTER (is_production AND finished_at IS NOT NULL AND finished_precision IN ('commit', 'interval')),
                total: count(*) FILTER (is_production AND finished_at IS NOT NULL), level: 'info',
                meaning: 'production deploys whose finish is known only as that of a commit, or as between two runs: no incident is linked to them by time, and they have no lead time and no recovery time',
                examples: NULL::VARCHAR[]},
            {dq_check: 'deploy_ends_before_start', n: count(*) FILTER (ends_first), total: count(*) FILTER (has_both), level: 'warn',
                meaning: 'deploys that end before they start: the start is not used',
                examples: (list(name ORDER BY name) FILTER (ends_first))[1:5]},
            {dq_check: 'deploy_of_several_sources', n: count(g.record_no), total: count(*), level: 'info',
                meaning: 'records of deploys that are one deploy with a record of another source; see the table deploy_records',
                examples: NULL::VARCHAR[]}
        ]) AS c
    FROM known AS k
    LEFT JOIN core.deploy_groups AS g ON g.record_no = k.record_no
    GROUP BY source
),
clocks AS (
    SELECT d.source, count(*) AS total, count(*) FILTER (l.detect_minutes < 0) AS n,
        (list(DISTINCT coalesce(d.title, readable_version(d.version), d.external_id) ORDER BY coalesce(d.title, readable_version(d.version), d.external_id)) FILTER (l.detect_minutes < 0))[1:5] AS examples
    FROM core.incident_deploys AS l
    JOIN core.deploys AS d ON d.deploy_no = l.deploy_no
    WHERE l.detect_minutes IS NOT NULL
    GROUP BY d.source
),
causes AS (
    SELECT source, count(*) AS total, count(*) FILTER (incident_id IS NULL) AS n,
        (list(DISTINCT target ORDER BY target) FILTER (incident_id IS NULL))[1:5] AS examples
    FROM core.deploy_causes
    GROUP BY source
),
named AS (
    SELECT source, count(DISTINCT (external_id, target)) AS total, count(DISTINCT (external_id, target)) FILTER (deploy_no IS NULL) AS n,
        (list(DISTINCT target ORDER BY target) FILTER (deploy_no IS NULL))[1:5] AS examples
    FROM core.named_deploys
    WHERE line IS NULL
    GROUP BY source
)
SELECT c.dq_check AS dq_check, source, c.n AS n, c.total AS total, c.level AS level, c.meaning AS meaning, c.examples AS examples
FROM record_checks WHERE c.total > 0
UNION ALL
SELECT 'incident_before_its_deploy', source, n, total, 'warn',
    'incidents that were detected before the deploy that introduced them was over: the clocks disagree, or the link is wrong', examples
FROM clocks
UNION ALL
SELECT 'deploy_cause_unknown', source, n, total, 'warn',
    'names of incidents that a deploy is said to have caused and that fit no counted incident, or several: they link nothing', examples
FROM causes
UNION ALL
SELECT 'introduced_by_unknown', source, n, total, 'warn',
    'names of deploys in fields that are mapped to introduced_by which fit no known deploy, or several: they link nothing; a version or an id is one of the service of the incident', examples
FROM named
