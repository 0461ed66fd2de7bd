/*
description = "Environments that CDEvents of deploys name."
yields = "words"

[columns]
source = "the account"
kind = "always environment"
word = "id of the environment"
n = "deploys to it"
*/
SELECT '${source}' AS source, 'environment' AS kind, environment AS word, count(*) AS n
FROM raw.${source}_inbox
WHERE subject = 'service' AND predicate IN ('deployed', 'upgraded', 'rolledback')
GROUP BY environment
