/*
description = """Words of Jira issues: priorities and values of the mapped severity field, now and earlier, statuses by project, resolutions,
issue types, names and ids of fields."""
yields = "words"

[columns]
source = "the account"
kind = "kind of word"
scope = "project, for statuses; else NULL"
word = "the word as sent"
more_words = "for the value of a severity field, the priority of the same issues"
n = "records that carry it"
is_optional = "true for an earlier severity, and for the type of an issue that a pull has read: it is taken whatever its type is"
*/
WITH issues AS (
    SELECT i.*, p.external_id IS NOT NULL AS is_pulled
    FROM staging.${source}_issues AS i
    LEFT JOIN raw.${source}_issues AS p ON p.external_id = i.external_id
    ANTI JOIN staging.${source}_deletions AS d ON d.external_id = i.external_id
),
changes AS (
    SELECT c.*
    FROM staging.${source}_changes AS c
    ANTI JOIN staging.${source}_deletions AS d ON d.external_id = c.external_id
),
-- Received issues that no pull has read: their type decides whether they are incidents.
received AS (
    SELECT r.external_id, max_by(r.issue_type, r.happened_at) AS issue_type
    FROM staging.${source}_received AS r
    ANTI JOIN raw.${source}_issues AS p ON p.external_id = r.external_id
    ANTI JOIN staging.${source}_deletions AS d ON d.external_id = r.external_id
    WHERE r.is_snapshot
    GROUP BY r.external_id
)
SELECT '${source}' AS source, 'severity' AS kind, NULL AS scope, f.value AS word, [i.priority] AS more_words, count(*) AS n,
    false AS is_optional
FROM issues AS i
LEFT JOIN staging.${source}_fields AS f ON f.external_id = i.external_id AND f.target = 'severity'
GROUP BY ALL
UNION ALL BY NAME
SELECT '${source}' AS source, 'severity' AS kind, word, count(*) AS n, true AS is_optional
FROM (SELECT unnest([from_name, to_name]) AS word FROM staging.${source}_severity_changes)
GROUP BY word
UNION ALL BY NAME
SELECT DISTINCT '${source}' AS source, 'status' AS kind, project_key AS scope, name AS word, 1 AS n, false AS is_optional
FROM (
    SELECT project_key, unnest([from_name, to_name]) AS name FROM changes WHERE field = 'status'
    UNION ALL SELECT project_key, status FROM issues
)
UNION ALL BY NAME
SELECT '${source}' AS source, 'resolution' AS kind, resolution AS word, count(*) AS n, false AS is_optional
FROM issues
GROUP BY resolution
UNION ALL BY NAME
SELECT '${source}' AS source, 'type' AS kind, issue_type AS word, count(*) AS n, is_optional
FROM (
    SELECT issue_type, true AS is_optional FROM issues WHERE is_pulled
    UNION ALL SELECT issue_type, false FROM received
)
GROUP BY issue_type, is_optional
UNION ALL BY NAME
SELECT DISTINCT '${source}' AS source, 'field' AS kind, word, 1 AS n, false AS is_optional
FROM (
    SELECT unnest([name, external_id]) AS word FROM raw.${source}_fields
    UNION ALL SELECT unnest(map_keys(fields)) FROM issues
)
