/*
description = "Words of Jira issues: priorities and mapped severity fields, statuses by project, resolutions, types of received issues, names and ids of fields."
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
SELECT '${source}' AS source, kind, scope, word, count(*) AS n
FROM (
    SELECT 'severity' AS kind, NULL::VARCHAR AS scope, priority AS word FROM staging.${source}_issues
    UNION ALL SELECT 'severity', NULL, value FROM staging.${source}_fields WHERE target = 'severity'
    UNION ALL SELECT 'resolution', NULL, resolution FROM staging.${source}_issues
    UNION ALL SELECT 'type', NULL, issue_type FROM staging.${source}_received
    UNION ALL SELECT 'field', NULL, name FROM raw.${source}_fields
    UNION ALL SELECT 'field', NULL, external_id FROM raw.${source}_fields
    UNION ALL SELECT 'field', NULL, unnest(map_keys(fields)) FROM staging.${source}_issues
)
WHERE trim(word) <> ''
GROUP BY kind, scope, word
UNION ALL
SELECT DISTINCT '${source}', 'status', project_key, name, 1 FROM staging.${source}_statuses WHERE trim(name) <> ''
