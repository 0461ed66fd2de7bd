/*
description = """Names of the environments that releases were brought out to, levels of issues, and statuses of issues that have no meaning here by
themselves. Nothing depends on the meaning of a level before an issue is taken for an incident."""
yields = "words"

[columns]
source = "the account"
kind = "environment, severity or status"
word = "name as sent"
n = "deploys to it, or issues"
is_optional = "whether nothing depends on its meaning"
*/
SELECT '${source}' AS source, 'environment' AS kind, environment AS word, count(*) AS n, false AS is_optional
FROM raw.${source}_deploys
GROUP BY environment
UNION ALL
SELECT '${source}', 'severity', level, count(*), true
FROM staging.${source}_error_issues
WHERE level IS NOT NULL
GROUP BY level
UNION ALL
SELECT '${source}', 'status', n.status, count(*), n.status IN ('reprocessing', 'pending_deletion', 'pending_merge', 'deletion_in_progress')
FROM (SELECT status, read_at, external_id FROM raw.${source}_issues) AS n
SEMI JOIN staging.${source}_error_issues AS i ON i.external_id = n.external_id AND i.updated_at = n.read_at
WHERE n.status NOT IN ('resolved', 'unresolved', 'ignored', 'archived', 'muted')
GROUP BY n.status
