/*
description = """The newest payload of each Jira issue, typed. Custom fields keep their site-specific ids and their JSON; long
system fields (description, comments, ...) stay in the landing zone. A changelog embedded in the issue is complete on Data
Center only (Jira Server platform REST API, Get issue); Cloud cuts it and has its own stream."""
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "numeric id, immutable; the key changes when an issue is moved"
key = "issue key"
site_url = "address of the site, from self"
project_key = "key of the project"
issue_type = "name of the issue type"
title = "summary"
status_id = "id of the current status"
status = "name of the current status"
status_category = "category of the current status: new, indeterminate or done"
resolution = "name of the resolution; NULL when none is set"
priority = "name of the priority"
reporter_type = "kind of account of the reporter: atlassian, app or customer (of the portal alone); Cloud only"
labels = "labels"
component = "name of the first component"
links = "linked issues with the kind of link"
named = "pages of records that its texts and custom fields name, with the place"
created_at = "when it was created"
updated_at = "when it was changed last"
resolution_at = "resolutiondate as sent: set, kept and cleared by workflow functions"
status_category_changed_at = "when the status category changed last; Cloud only"
fields = "custom fields and short system fields that have a value: id and JSON"
histories = "embedded changelog: changes of status, priority, assignee and custom fields"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
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
