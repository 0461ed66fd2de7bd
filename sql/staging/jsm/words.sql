/*
description = "Words of JSM Operations alerts: priorities."
like = "staging.words"
yields = "words"
not_null = ["source", "kind", "word", "n"]

[columns]
source = "="
kind = "="
scope = "="
word = "="
n = "="
*/
SELECT '${source}' AS source, 'severity' AS kind, NULL::VARCHAR AS scope, priority AS word, count(*) AS n
FROM raw.${source}_alerts
WHERE trim(priority) <> ''
GROUP BY priority
