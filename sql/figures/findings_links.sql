/*
description = """Data quality findings about incidents that several tools tell: where these disagree, what is too large to be one incident, and
decisions that cannot be used. A source whose records are in no such incident has no row."""
view = true
like = "figures.findings_words"
*/
WITH linked AS (
    SELECT i.source, count(*) AS total, count(c.incident_id) AS n
    FROM core.incidents AS i
    SEMI JOIN core.members AS m ON m.incident_id = i.incident_id AND m.is_full AND m.precedence > 1
    LEFT JOIN (SELECT DISTINCT incident_id FROM core.incident_conflicts) AS c ON c.incident_id = i.incident_id
    GROUP BY i.source
),
apart AS (
    SELECT s.source, count(*) AS total, count(*) FILTER (g.kept_apart IN ('large', 'long')) AS n
    FROM core.groups AS g
    JOIN core.standalone AS s ON s.record_id = g.record_id
    SEMI JOIN core.links AS l ON l.why_not IS NULL AND NOT l.is_of_error
    GROUP BY s.source
),
broken AS (
    SELECT line, 'line ' || line || ' ' || problem AS told FROM config.decision_problems
    UNION ALL
    SELECT d.line, 'line ' || d.line || ' names ' || d.source || ' ' || d.external_id || ', which was never read or is deleted.'
    FROM (
        SELECT line, source, external_id, false AS is_deploy FROM config.decisions
        UNION ALL
        SELECT line, other_source, other_external_id, decision IN ('introduced', 'not introduced') FROM config.decisions
    ) AS d
    ANTI JOIN core.vendor_records AS r ON r.source = d.source AND r.external_id = d.external_id AND NOT d.is_deploy
    ANTI JOIN core.deploy_records AS w ON w.source = d.source AND w.external_id = d.external_id AND d.is_deploy
    UNION ALL
    SELECT line, 'line ' || line || ' names ' || target || ', a deploy of several services, none of which is that of the incident.'
    FROM core.named_deploys
    WHERE line IS NOT NULL AND n_deploys > 1 AND deploy_no IS NULL
)
SELECT 'conflicting_stamps' AS dq_check, source, n, total, 'info' AS level,
    'incidents of several records whose sources disagree by more than 15 minutes on a stamp; see the table incident_conflicts' AS meaning,
    NULL::VARCHAR[] AS examples
FROM linked
UNION ALL
SELECT 'group_not_merged', source, n, total, 'warn',
    'linked records that are kept apart, because their incident would have more than 20 records or detections more than 7 days apart; see the table links',
    NULL
FROM apart
UNION ALL
SELECT 'unusable_decision', 'configuration', count(DISTINCT line), (SELECT count(*) FROM config.decisions) + (SELECT count(*) FROM config.decision_problems),
    'warn', 'lines of links.csv that decide nothing: correct or remove them', (list(told ORDER BY line, told))[1:5]
FROM broken
HAVING count(*) > 0
