/*
description = "Data quality findings about incidents that were left open."
view = true
like = "figures.findings_words"
*/
-- Only sources with an open incident: one that everything is closed in has nothing to forget.
WITH open_incidents AS (
    SELECT i.source, i.is_abandoned, coalesce(i.key, i.external_id) AS name, i.last_event_at
    FROM facts.matched AS m
    JOIN core.incidents AS i ON i.rowid = m.incident_no
    WHERE NOT m.is_over AND m.resolved_us IS NULL AND m.closed_us IS NULL
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
