/*
description = "Words of Opsgenie alerts and incidents: priorities."
yields = "words"

[columns]
source = "the account; for incidents with _incident"
kind = "kind of word"
word = "the word as sent"
n = "records that carry it"
*/
SELECT r.source, 'severity' AS kind, r.priority AS word, count(*) AS n
FROM (
    SELECT '${source}' AS source, external_id, priority FROM staging.${source}_alerts
    UNION ALL
    SELECT '${source}_incident', external_id, priority FROM raw.${source}_incidents
) AS r
ANTI JOIN staging.${source}_deletions AS d ON d.source = r.source AND d.external_id = r.external_id
GROUP BY r.source, r.priority
