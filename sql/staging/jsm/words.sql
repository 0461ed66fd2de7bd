/*
description = "Words of JSM Operations alerts: priorities."
yields = "words"
not_null = ["source", "kind", "word", "n"]

[columns]
source = "the account"
kind = "kind of word"
scope = "project, for statuses; else NULL"
word = "the word as sent"
n = "records that carry it"
*/
SELECT '${source}' AS source, 'severity' AS kind, NULL::VARCHAR AS scope, priority AS word, count(*) AS n
FROM raw.${source}_alerts
WHERE trim(priority) <> ''
GROUP BY priority
