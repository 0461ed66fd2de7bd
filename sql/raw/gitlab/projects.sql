/*
description = "The newest answer about each GitLab project, typed."
key = ["project_id"]

[columns]
project_id = "id of the project, which a rename leaves as it is"
asked = "full name by which it was asked for"
path = "full name, as it is now"
web_url = "page of the project"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS project_id,
    text_or_null(asked) AS asked,
    coalesce(plain_text(record.path_with_namespace), text_or_null(asked)) AS path,
    plain_text(record.web_url) AS web_url,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', asked: 'VARCHAR', record: 'STRUCT(path_with_namespace VARCHAR, web_url VARCHAR)'
})
