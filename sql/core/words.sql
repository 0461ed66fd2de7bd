/*
description = """Every word that occurs in a vendor's records, and what the vocabulary says it means. The macros line_fits and line_rank say
which line of the vocabulary applies."""
not_null = ["source", "kind", "word", "normal", "n", "n_unmapped"]

[columns]
source = "source of the records"
kind = "severity, status, resolution, type, field, environment or detection"
scope = "project that it occurs in; NULL where that does not matter"
word = "the word as sent"
normal = "the word as it is compared"
n = "records that carry it"
meaning = "what it means; NULL when no mapping knows it"
setting = "the line of mttr.toml that says so; NULL for a default"
is_unmapped = "whether it lacks a meaning that a record needs"
n_unmapped = "records that need a meaning for it and whose first such word it is, so that a sum counts each record once"
*/
WITH stated AS (
    SELECT source, kind, scope, word, more_words, n, is_optional FROM staging.words
    UNION ALL
    -- The statuses that records have now, unless the source itself lists them or says what they mean.
    SELECT r.source, 'status', NULL, r.vendor_status, NULL, count(*), false
    FROM staging.records AS r
    ANTI JOIN core.deleted_records AS d ON d.source = r.source AND d.external_id = r.external_id
    ANTI JOIN staging.words AS w ON w.kind = 'status' AND w.source = r.source AND w.word = r.vendor_status
    WHERE r.status_event IS NULL AND r.vendor_status IS NOT NULL
    GROUP BY r.source, r.vendor_status
    UNION ALL
    -- Without a meaning, an integration is a monitor, and a kind of reporter says nothing.
    SELECT r.source, 'detection', NULL, r.reported_by, NULL, count(*), r.reported_via <> 'field'
    FROM staging.records AS r
    ANTI JOIN core.deleted_records AS d ON d.source = r.source AND d.external_id = r.external_id
    WHERE r.reported_by IS NOT NULL
    GROUP BY ALL
),
carried AS (
    SELECT
        w.source, a.account, w.kind, w.scope, w.n, coalesce(w.is_optional, false) AS is_optional, row_number() OVER () AS carriers,
        list_concat([w.word], coalesce(w.more_words, [])) AS words
    FROM stated AS w
    JOIN config.record_sources AS a ON a.source = w.source
),
placed AS (
    SELECT * EXCLUDE (words), unnest(words) AS word, generate_subscripts(words, 1) AS place
    FROM (
        SELECT * REPLACE (
            list_filter(words, lambda word, i: normalized(word) <> '' AND list_position(words, word) = i) AS words)
        FROM carried
    )
),
meant AS (
    SELECT s.*, v.meaning, v.setting
    FROM (SELECT DISTINCT source, account, kind, scope, word, normalized(word) AS normal FROM placed) AS s
    LEFT JOIN config.words AS v
        ON v.source = s.account AND v.kind = s.kind AND v.scope IN ('', normalized(s.scope))
        AND line_fits(v.word, v.is_prefix, s.normal)
    QUALIFY row_number() OVER (
        PARTITION BY s.source, s.kind, s.scope, s.word ORDER BY line_rank(v.scope, v.is_prefix, v.word) DESC NULLS LAST) = 1
),
judged AS (
    SELECT
        p.n, p.carriers, m.*, m.meaning IS NULL AND NOT p.is_optional AS is_unmapped,
        row_number() OVER (PARTITION BY p.carriers, m.meaning IS NULL ORDER BY p.place) = 1 AS is_first
    FROM placed AS p
    JOIN meant AS m
        ON m.source = p.source AND m.kind = p.kind AND m.scope IS NOT DISTINCT FROM p.scope AND m.word = p.word
)
SELECT
    source, kind, scope, word, normal, sum(n)::BIGINT AS n, any_value(meaning) AS meaning, any_value(setting) AS setting,
    bool_or(is_unmapped) AS is_unmapped, coalesce(sum(n) FILTER (WHERE is_unmapped AND is_first), 0)::BIGINT AS n_unmapped
FROM judged
GROUP BY source, kind, scope, word, normal
