/*
description = "Statuses of the Jira site and the category of each (Jira platform REST API, Get all statuses)."
key = ["external_id"]

[columns]
external_id = "id"
name = "name; may be translated or renamed"
category = "new, indeterminate or done"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    text_or_null(name) AS name,
    lower(statusCategory.key) AS category,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', name: 'VARCHAR', statusCategory: 'STRUCT("key" VARCHAR)'
})
