/*
description = """Every word that occurs in a vendor's records, and what the vocabulary says it means. For statuses a mapping of the project goes
before one for all, and a whole word before the beginning of one."""
like = "staging.words"
not_null = ["source", "kind", "word", "n"]

[columns]
source = "source of the records"
kind = "="
scope = "project that it occurs in; NULL where that does not matter"
word = "="
n = "="
meaning = "what it means; NULL when no mapping knows it"
setting = "the line of mttr.toml that says so; NULL for a default"
*/
WITH seen AS (
    SELECT w.source, a.account, w.kind, w.scope, w.word, normalized(w.word) AS normal, sum(w.n)::BIGINT AS n
    FROM staging.words AS w
    JOIN config.record_sources AS a ON a.source = w.source
    GROUP BY ALL
),
matched AS (
    SELECT s.*, v.meaning, v.setting, row_number() OVER (
        PARTITION BY s.source, s.kind, s.scope, s.word
        ORDER BY v.meaning IS NULL, v.scope = '', v.is_prefix, length(v.word) DESC) AS place
    FROM seen AS s
    LEFT JOIN config.words AS v
        ON v.source = s.account AND v.kind = s.kind AND v.scope IN ('', normalized(s.scope))
        AND CASE WHEN v.is_prefix THEN starts_with(s.normal, v.word) ELSE s.normal = v.word END
)
SELECT source, kind, scope, word, n, meaning, setting FROM matched WHERE place = 1
