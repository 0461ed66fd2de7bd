/*
description = """Data quality finding about received webhook bodies with a missing or wrong signature. They are no records that got lost, so
they are not among those in quarantined. It warns while the newest taking has such a body."""
view = true
like = "figures.findings_words"
*/
WITH loads AS (
    SELECT source, sum(fetched)::BIGINT AS fetched, max(extract_id) AS last_extract
    FROM ops.loads
    GROUP BY source
)
SELECT
    'refused_webhooks' AS dq_check, l.source, count(*) AS n, l.fetched AS total,
    CASE WHEN bool_or(q.extract_id = l.last_extract) THEN 'warn' ELSE 'info' END AS level,
    'received bodies without a valid signature: they change no figure; check the secret, or who else writes to the inbox' AS meaning,
    NULL::VARCHAR[] AS examples
FROM ops.quarantine AS q
JOIN loads AS l ON l.source = q.source
WHERE is_refused(q.reason)
GROUP BY l.source, l.fetched
