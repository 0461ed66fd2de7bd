/*
description = """Data quality findings about names: the spellings of services and teams that differ from the one that is shown only in what
a comparison of names leaves out. They count as one name, which nobody would see otherwise."""
view = true
like = "figures.findings_words"
*/
-- A spelling that the configuration maps to another service (an alias) is somebody's decision, and is not counted.
WITH written AS (
    SELECT DISTINCT r.source, unnest([{kind: 'service', written: r.service}, {kind: 'team', written: r.team}]) AS spelled
    FROM staging.records AS r
    ANTI JOIN core.deleted_records AS d ON d.source = r.source AND d.external_id = r.external_id
),
compared AS (
    SELECT w.source, trim(n.written) AS written, n.kind, n.name, normalized(n.name) = n.folded AND n.name <> trim(n.written) AS is_folded
    FROM written AS w
    JOIN core.names AS n ON n.kind = w.spelled.kind AND n.written = w.spelled.written
)
SELECT
    'spellings_folded' AS dq_check, source,
    count(DISTINCT (kind, written)) FILTER (WHERE is_folded) AS n,
    count(DISTINCT (kind, written)) AS total,
    'info' AS level,
    'spellings of services and teams that differ only in capitals, blanks, -, _ or Unicode form from the one that is shown: both are one name'
        AS meaning,
    (list(DISTINCT written || ' (shown as ' || name || ')' ORDER BY written || ' (shown as ' || name || ')') FILTER (WHERE is_folded))[1:5]
        AS examples
FROM compared
GROUP BY source
