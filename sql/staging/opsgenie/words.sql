/*
description = "Words of Opsgenie alerts and incidents: priorities."
like = "staging.words"
yields = "words"
not_null = ["source", "kind", "word", "n"]

[columns]
source = "the account; for incidents with _incident"
kind = "="
scope = "="
word = "="
n = "="
*/
SELECT source, 'severity' AS kind, NULL::VARCHAR AS scope, word, count(*) AS n
FROM (
    SELECT '${source}' AS source, priority AS word FROM staging.${source}_alerts
    UNION ALL
    SELECT '${source}_incident', priority FROM raw.${source}_incidents
)
WHERE trim(word) <> ''
GROUP BY source, word
