/*
description = "Words of custom records: severities, and the environments of deploys."
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
UNION ALL
SELECT '${source}', 'environment', environment, count(*)
FROM raw.${source}_deploys
GROUP BY environment
