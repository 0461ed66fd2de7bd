/*
description = """Data quality findings about the history of sources: incidents from before it is complete."""
view = true
like = "figures.findings_words"
*/
SELECT
    'before_complete_history' AS dq_check,
    i.source,
    count(*) FILTER (WHERE i.is_before_history) AS n,
    count(*) AS total,
    'info' AS level,
    'incidents that began before ' || strftime(h.complete_since, '%Y-%m-%d') || ', when the complete history of the source begins; '
        || 'typical recovery, changes, directions, frequency and the trend leave them out' AS meaning,
    NULL::VARCHAR[] AS examples
FROM core.incidents AS i
JOIN core.complete_history AS h ON h.source = i.source
WHERE i.is_counted
GROUP BY i.source, h.complete_since
