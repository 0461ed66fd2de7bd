/*
description = "Words of custom records: severities."
yields = "words"

[columns]
source = "the account"
kind = "kind of word"
word = "the word as sent"
n = "records that carry it"
*/
SELECT '${source}' AS source, 'severity' AS kind, severity AS word, count(*) AS n
FROM raw.${source}_records
GROUP BY severity
