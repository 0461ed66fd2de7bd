/*
description = "Data quality findings about records that the vendor's list lacks although nothing shows that they are deleted."
view = true
like = "figures.findings_words"
*/
SELECT
    'out_of_sight' AS dq_check, l.source, coalesce(o.n, 0) AS n, l.records AS total, 'warn' AS level,
    'records that the vendor does not list any more but that are not deleted, as far as it says: archived, or this account may '
        || 'not see them; they count as they were read last' AS meaning,
    o.examples
FROM (SELECT a.account AS source, count(*) AS records FROM core.vendor_records AS r
    JOIN config.record_sources AS a ON a.source = r.source GROUP BY a.account) AS l
LEFT JOIN (
    SELECT source, sum(n)::BIGINT AS n,
        (list(group_name || ': ' || n ORDER BY n DESC, group_name) FILTER (WHERE group_name <> ''))[1:5] AS examples
    FROM ops.out_of_sight GROUP BY source
) AS o ON o.source = l.source
WHERE l.source IN (SELECT source FROM ops.attempts)
