/*
description = "The severities of tickets, as they occur."
yields = "words"

[columns]
source = "the account"
kind = "always severity"
word = "the word as sent"
n = "tickets that carry it"
*/
SELECT '${source}' AS source, 'severity' AS kind, severity AS word, count(*) AS n
FROM raw.${source}_tickets
WHERE severity IS NOT NULL
GROUP BY severity
