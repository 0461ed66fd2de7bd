/*
description = """How many records made how many incidents: one row for all records, one per source, and one per pair of sources that have incidents
together. Conservation holds in every row of all records: incidents = records - joined."""
published = true
not_null = ["scope", "source", "records", "incidents", "joined"]
unique = [["scope", "source", "other_source"]]

[assert]
nothing_is_lost = "scope <> 'all' OR incidents = records - joined"

[columns]
scope = "all, source or pair"
source = "source of the records; all for those of all sources"
other_source = "the second source of a pair; NULL for other rows"
records = "vendor records and episodes; of a pair, those of its two sources in the incidents that both have records of"
incidents = "rows of incidents; of a source or a pair, those that it has records of"
joined = "records that are not the primary record of an incident: the sum over all groups of their size less 1"
*/
WITH told AS (
    SELECT l.source, l.incident_id, l.role <> 'primary' AND NOT (l.role = 'duplicate' AND NOT run.correlates) AS is_joined
    FROM core.incident_sources AS l
    CROSS JOIN config.run AS run
),
sources AS (
    SELECT DISTINCT incident_id, source, count(*) OVER (PARTITION BY incident_id, source) AS records,
        count(*) FILTER (is_joined) OVER (PARTITION BY incident_id, source) AS joined
    FROM told
    SEMI JOIN (SELECT incident_id FROM told GROUP BY incident_id HAVING min(source) <> max(source)) AS several USING (incident_id)
)
SELECT 'all' AS scope, 'all' AS source, NULL::VARCHAR AS other_source, count(*) AS records, (SELECT count(*) FROM core.incidents) AS incidents,
    count(*) FILTER (is_joined) AS joined
FROM told
UNION ALL
SELECT 'source', source, NULL, count(*), count(DISTINCT incident_id), count(*) FILTER (is_joined) FROM told GROUP BY source
UNION ALL
SELECT 'pair', a.source, b.source, sum(a.records + b.records)::BIGINT, count(*), sum(a.joined + b.joined)::BIGINT
FROM sources AS a
JOIN sources AS b ON b.incident_id = a.incident_id AND b.source > a.source
GROUP BY a.source, b.source
ORDER BY scope, source, other_source
