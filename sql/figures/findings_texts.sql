/*
description = """Data quality findings about texts: records in which a character had to be replaced, and fields that hold something else than the text
or number that belongs there."""
view = true
like = "figures.findings_words"
*/
SELECT
    'characters_replaced' AS dq_check, l.source, coalesce(m.n, 0) AS n, l.fetched AS total, 'info' AS level,
    'records with a character that is no valid text and that was replaced by U+FFFD, here or by the sender' AS meaning,
    m.examples
FROM (SELECT source, sum(fetched)::BIGINT AS fetched FROM ops.loads GROUP BY source) AS l
LEFT JOIN (
    SELECT source, count(*) AS n, (list(DISTINCT external_id ORDER BY external_id))[1:5] AS examples
    FROM ops.marked GROUP BY source
) AS m ON m.source = l.source
UNION ALL
SELECT
    'field_without_text', r.source, count(*) FILTER (WHERE r.field_problems <> []), count(*), 'warn',
    'records with a field that holds something else than the text or number that belongs there, such as an object: they count without '
        || 'it; see the table quarantine',
    (list(DISTINCT r.field_problems[1] ORDER BY r.field_problems[1]) FILTER (WHERE r.field_problems <> []))[1:5]
FROM staging.records AS r
ANTI JOIN core.deleted_records AS d ON d.source = r.source AND d.external_id = r.external_id
GROUP BY r.source
