/*
description = "Fields of the Jira site; the ids of custom fields differ from site to site (Jira platform REST API, Get fields)."
key = ["external_id"]

[columns]
external_id = "id, such as summary or customfield_10041"
name = "name; not unique"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    text_or_null(name) AS name,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', name: 'VARCHAR'
})
