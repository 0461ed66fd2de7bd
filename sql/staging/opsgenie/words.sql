/*
description = "Words of Opsgenie alerts and incidents: priorities."
yields = "words"
not_null = ["source", "kind", "word", "n"]

[columns]
source = "the account; for incidents with _incident"
kind = "kind of word"
scope = "project, for statuses; else NULL"
word = "the word as sent"
n = "records that carry it"
*/
SELECT source, 'severity' AS kind, NULL::VARCHAR AS scope, word, count(*) AS n
FROM (
    SELECT '${source}' AS source, priority AS word FROM staging.${source}_alerts
    UNION ALL
    SELECT '${source}_incident', priority FROM raw.${source}_incidents
)
WHERE trim(word) <> ''
GROUP BY source, word
