/*
description = "Environments that deployments in the shape of DevLake's webhook name."
yields = "words"

[columns]
source = "the account"
kind = "always environment"
word = "name as sent"
n = "deployments to it"
*/
SELECT '${source}' AS source, 'environment' AS kind, environment AS word, count(*) AS n
FROM raw.${source}_inbox
GROUP BY environment
