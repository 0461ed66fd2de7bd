/*
description = """Words of PagerDuty incidents: names of priorities, now and earlier, values of the mapped severity field, names of custom
fields, environments of change events that are deploys."""
yields = "words"

[columns]
source = "the account"
kind = "kind of word"
word = "the word as sent"
more_words = "for a priority, the value of the severity field of the same incidents"
n = "records that carry it"
is_optional = "true for an earlier priority: the incident has another one now"
*/
WITH fields AS (
    SELECT unnest(fields) AS field FROM raw.${source}_incident_fields
)
SELECT '${source}' AS source, 'severity' AS kind, coalesce(p.name, i.priority_name) AS word, [f.value] AS more_words,
    count(*) AS n, false AS is_optional
FROM staging.${source}_incidents AS i
LEFT JOIN raw.${source}_priorities AS p ON p.external_id = i.priority_id
LEFT JOIN staging.${source}_fields AS f ON f.external_id = i.external_id AND f.target = 'severity'
ANTI JOIN staging.${source}_deletions AS d ON d.external_id = i.external_id
GROUP BY ALL
UNION ALL BY NAME
SELECT '${source}' AS source, 'severity' AS kind, word, count(*) AS n, true AS is_optional
FROM (
    SELECT unnest([old_priority, new_priority]) AS word
    FROM raw.${source}_log_entries
    WHERE coalesce(old_priority, new_priority) IS NOT NULL
)
GROUP BY word
UNION ALL BY NAME
SELECT DISTINCT '${source}' AS source, 'field' AS kind, unnest([field.name, field.display_name]) AS word, 1 AS n,
    false AS is_optional
FROM fields
UNION ALL BY NAME
SELECT '${source}' AS source, 'environment' AS kind, environment AS word, count(DISTINCT external_id) AS n, false AS is_optional
FROM staging.${source}_deploys
GROUP BY environment
