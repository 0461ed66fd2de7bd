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
        CASE WHEN kind = 'status' THEN count(DISTINCT normalized(word)) ELSE sum(n) END::BIGINT AS total,
        coalesce(CASE WHEN kind = 'status' THEN count(DISTINCT CASE WHEN meaning IS NULL THEN normalized(word) END)
            ELSE sum(CASE WHEN meaning IS NULL THEN n END) END, 0)::BIGINT AS n,
        list(DISTINCT CASE WHEN meaning IS NULL THEN word END ORDER BY CASE WHEN meaning IS NULL THEN word END)[1:5] AS unmapped
    FROM core.words
    WHERE kind <> 'field'
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
        SELECT a.account FROM config.record_sources AS a JOIN core.records AS r ON r.source = a.source)
    GROUP BY setting
)
SELECT
    'unmapped_severity' AS dq_check, r.source, coalesce(max(w.n), 0) AS n, count(*) AS total, 'warn' AS level,
    'records with a severity that no mapping knows; add it under [sources.<name>.severity]' AS meaning,
    CASE WHEN max(w.n) > 0 THEN any_value(w.unmapped) END AS examples
FROM core.records AS r
LEFT JOIN words AS w ON w.source = r.source AND w.kind = 'severity'
GROUP BY r.source
UNION ALL
SELECT 'unmapped_' || kind, source, n, total, 'warn', CASE kind
    WHEN 'status' THEN 'status names that no mapping knows, classified by their status category; '
        || 'add them under [sources.' || source || '.status]'
    WHEN 'resolution' THEN 'records with a resolution that no mapping knows, counted as incidents; '
        || 'add it under [sources.' || source || '.resolution]'
    ELSE 'received records of a type that no mapping knows, ignored unless they are also pulled; '
        || 'add it under [sources.' || source || '.type]'
    END,
    CASE WHEN n > 0 THEN unmapped END
FROM words WHERE kind <> 'severity'
UNION ALL
SELECT 'setting_matches_nothing', source, count(*) FILTER (WHERE NOT is_used), count(*), 'warn',
    'lines of mttr.toml that map a word found in no record, perhaps misspelt or renamed at the vendor',
    (list(setting ORDER BY setting) FILTER (WHERE NOT is_used))[1:5]
FROM settings GROUP BY source
