/*
description = "Names of the environments that releases were brought out to."
yields = "words"

[columns]
source = "the account"
kind = "always environment"
word = "name as sent"
n = "deploys to it"
*/
SELECT '${source}' AS source, 'environment' AS kind, environment AS word, count(*) AS n
FROM raw.${source}_deploys
GROUP BY environment
