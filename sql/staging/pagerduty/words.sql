/*
description = "Words of PagerDuty incidents: names of priorities, values of mapped severity fields, names of custom fields."
like = "staging.words"
yields = "words"
not_null = ["source", "kind", "word", "n"]

[columns]
source = "="
kind = "="
scope = "="
word = "="
n = "="
*/
WITH fields AS (
    SELECT unnest(fields) AS field FROM raw.${source}_incident_fields
)
SELECT '${source}' AS source, kind, NULL::VARCHAR AS scope, word, count(*) AS n
FROM (
    SELECT 'severity' AS kind, coalesce(p.name, i.priority_name) AS word
    FROM staging.${source}_incidents AS i
    LEFT JOIN raw.${source}_priorities AS p ON p.external_id = i.priority_id
    UNION ALL SELECT 'severity', value FROM staging.${source}_fields WHERE target = 'severity'
    UNION ALL SELECT 'field', field.name FROM fields
    UNION ALL SELECT 'field', field.display_name FROM fields
)
WHERE trim(word) <> ''
GROUP BY kind, word
