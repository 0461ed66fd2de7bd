/*
description = "Words of GitHub deployments: the environments that they go to, those of previews excepted."
yields = "words"

[columns]
source = "the account"
kind = "kind of word"
word = "the word as sent"
n = "deployments that carry it"
*/
SELECT '${source}' AS source, 'environment' AS kind, environment AS word, count(DISTINCT external_id) AS n
FROM staging.${source}_deploys
WHERE environment IS NOT NULL
GROUP BY environment
