/*
description = "Words of Alertmanager alerts: the label severity."
yields = "words"

[columns]
source = "the account"
kind = "kind of word"
word = "the word as sent"
n = "records that carry it"
*/
SELECT '${source}' AS source, 'severity' AS kind, severity AS word, count(*) AS n
FROM raw.${source}_inbox
GROUP BY severity
