/*
description = "Data quality findings about incidents that were left open."
view = true
like = "figures.findings_words"
*/
-- Only sources with an open incident: one that everything is closed in has nothing to forget.
WITH open_incidents AS (
    SELECT source, is_abandoned, coalesce(key, external_id) AS name, last_event_at
    FROM core.incidents
    WHERE is_counted AND resolved_at IS NULL AND closed_at IS NULL AND NOT status_is_over(status)
)
SELECT
    'abandoned_incidents' AS dq_check,
    o.source,
    count(*) FILTER (WHERE o.is_abandoned) AS n,
    count(*) AS total,
    'warn' AS level,
    'open incidents without an event or an update at the vendor for ' || format('{:g}', run.abandoned_us / 8.64e10) || CASE
        run.abandoned_us WHEN 86_400_000_000 THEN ' day' ELSE ' days' END
        || '; close them at the source, see the table abandoned_incidents' AS meaning,
    list_slice(list(o.name ORDER BY o.last_event_at, o.name) FILTER (WHERE o.is_abandoned), 1, 5) AS examples
FROM open_incidents AS o
CROSS JOIN config.run AS run
GROUP BY o.source, run.abandoned_us
