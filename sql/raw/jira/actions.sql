/*
description = "The newest payload of each issue that a ticket or a post-mortem names as a follow-up action, typed like an incident, which it is not."
like = "raw.${source}_issues"
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "="
key = "="
site_url = "="
project_key = "="
issue_type = "="
title = "="
status_id = "="
status = "="
status_category = "="
resolution = "="
priority = "="
reporter_type = "="
labels = "="
component = "="
links = "="
named = "="
created_at = "="
updated_at = "="
resolution_at = "="
status_category_changed_at = "="
fields = "="
histories = "="
reject_reason = "="
landed_in = "="
*/
WITH issues AS (
    SELECT
        * REPLACE (json_map(fields) AS fields), zone,
        json_type(fields) = 'OBJECT' AND json_map(fields) IS NULL AS is_doubled
    FROM landed({
        id: 'VARCHAR', key: 'VARCHAR', self: 'VARCHAR', fields: 'JSON',
        changelog: 'STRUCT(histories STRUCT(id VARCHAR, created VARCHAR,
            author STRUCT(accountId VARCHAR, accountType VARCHAR, "key" VARCHAR, "name" VARCHAR, displayName VARCHAR),
            items STRUCT(field VARCHAR, fieldId VARCHAR, fieldtype VARCHAR, "from" VARCHAR, fromString VARCHAR, "to" VARCHAR,
                toString VARCHAR)[])[])'
    })
    CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
)
SELECT
    id AS external_id,
    unnest(jira_issue(key, self, fields, zone)),
    telling_changes(changelog.histories) AS histories,
    CASE
        WHEN text_or_null(id) IS NULL THEN 'no id'
        WHEN is_doubled THEN 'a name stands twice in fields'
        ELSE instant_problem('created', fields['created'] ->> '$', instant(fields['created'] ->> '$', zone))
    END AS reject_reason,
    landed_in
FROM issues
