/*
description = "Words of JSM Operations alerts: priorities."
yields = "words"

[columns]
source = "the account"
kind = "kind of word"
word = "the word as sent"
n = "records that carry it"
*/
SELECT '${source}' AS source, 'severity' AS kind, priority AS word, count(*) AS n
FROM raw.${source}_alerts AS a
ANTI JOIN staging.${source}_deletions AS d ON d.external_id = a.external_id
GROUP BY priority
