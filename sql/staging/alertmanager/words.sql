/*
description = "Words of Alertmanager alerts: the label severity."
yields = "words"
not_null = ["source", "kind", "word", "n"]

[columns]
source = "the account"
kind = "kind of word"
scope = "project, for statuses; else NULL"
word = "the word as sent"
n = "records that carry it"
*/
SELECT '${source}' AS source, 'severity' AS kind, NULL::VARCHAR AS scope, severity AS word, count(*) AS n
FROM raw.${source}_inbox
WHERE trim(severity) <> ''
GROUP BY severity
