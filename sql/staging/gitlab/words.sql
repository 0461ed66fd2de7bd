/*
description = "Names of the environments that GitLab deployments go to."
yields = "words"

[columns]
source = "the account"
kind = "always environment"
word = "name as sent"
n = "deployments to it"
*/
SELECT '${source}' AS source, 'environment' AS kind, environment AS word, count(*) AS n
FROM raw.${source}_deployments
GROUP BY environment
