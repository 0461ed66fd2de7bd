/*
description = """Data quality findings about words: the words in vendors' records that no mapping knows, and the lines of mttr.toml that
map a word found in no record."""
view = true
like = "mart.data_quality"

[columns]
dq_check = "="
source = "="
n = "="
total = "="
level = "status of the finding when n is above 0: info or warn"
meaning = "="
examples = "="
*/
-- Statuses are counted as names, because one name occurs in many histories. Other words are counted in records.
WITH words AS (
    SELECT source, kind,
        CASE WHEN kind = 'status' THEN count(DISTINCT normal) ELSE sum(n) END::BIGINT AS total,
        CASE WHEN kind = 'status' THEN count(DISTINCT CASE WHEN is_unmapped THEN normal END)
            ELSE sum(n_unmapped) END::BIGINT AS n
    FROM core.words
    WHERE kind <> 'field'
    GROUP BY source, kind
),
-- One spelling of each word, the most frequent words first.
unmapped AS (
    SELECT source, kind, list_slice(list(word ORDER BY n DESC, word), 1, 5) AS examples
    FROM (
        SELECT source, kind, max_by(word, (n, word)) AS word, sum(n) AS n
        FROM core.words
        WHERE is_unmapped AND kind <> 'field'
        GROUP BY source, kind, normal
    )
    GROUP BY source, kind
),
-- Lines of mttr.toml that map a word, for accounts that have a record.
settings AS (
    SELECT
        CASE WHEN starts_with(setting, 'vocabulary.') THEN 'configuration' ELSE min(w.source) END AS source, setting,
        bool_or(m.setting IS NOT NULL) AS is_used
    FROM config.words AS w
    LEFT JOIN (SELECT DISTINCT setting FROM core.words) AS m USING (setting)
    WHERE w.setting IS NOT NULL AND w.source IN (
        SELECT a.account FROM config.record_sources AS a JOIN core.vendor_records AS r ON r.source = a.source
        UNION SELECT source FROM staging.deploys)
    GROUP BY setting
)
SELECT
    'unmapped_severity' AS dq_check, r.source, coalesce(max(w.n), 0) AS n, count(*) AS total, 'warn' AS level,
    'records with a severity that no map contains: another field or the default decides; map it in [sources.'
        || any_value(a.account) || '.severity]' AS meaning,
    any_value(u.examples) AS examples
FROM core.vendor_records AS r
JOIN config.record_sources AS a ON a.source = r.source
LEFT JOIN words AS w ON w.source = r.source AND w.kind = 'severity'
LEFT JOIN unmapped AS u ON u.source = r.source AND u.kind = 'severity'
GROUP BY r.source
UNION ALL
SELECT 'unmapped_' || w.kind, w.source, w.n, w.total, 'warn', CASE w.kind
        WHEN 'status' THEN 'statuses that no map contains: the vendor''s category decides, else the stamps alone'
        WHEN 'resolution' THEN 'records with a resolution that no map contains: they count as incidents'
        WHEN 'detection' THEN 'records whose field says in an unknown word who noticed the incident: another record decides, else it is unknown'
        WHEN 'environment' THEN 'deploys to an environment that no map contains: they do not count as production'
        ELSE 'received records of a type that no map contains: they count only after a pull has read them'
    END || '; map them in [sources.' || a.account || '.' || w.kind || ']',
    u.examples
FROM words AS w
JOIN config.record_sources AS a ON a.source = w.source
LEFT JOIN unmapped AS u ON u.source = w.source AND u.kind = w.kind
WHERE w.kind <> 'severity'
UNION ALL
SELECT 'setting_matches_nothing', source, count(*) FILTER (WHERE NOT is_used), count(*), 'warn',
    'lines of mttr.toml that map a word which no record has: misspelt, renamed at the vendor, or covered by another line',
    (list(setting ORDER BY setting) FILTER (WHERE NOT is_used))[1:5]
FROM settings GROUP BY source
