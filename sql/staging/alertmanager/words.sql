/*
description = "Words of Alertmanager alerts: the label severity."
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
SELECT '${source}' AS source, 'severity' AS kind, NULL::VARCHAR AS scope, severity AS word, count(*) AS n
FROM raw.${source}_inbox
WHERE trim(severity) <> ''
GROUP BY severity
