/*
description = "GitHub repositories, one row each, under the name that they have now and those by which they are configured."
key = ["external_id"]

[columns]
external_id = "id, which a rename does not change"
full_name = "owner/name"
page = "page of the repository"
named = "names by which the pull was told to read it"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    record.id AS external_id,
    text_or_null(record.full_name) AS full_name,
    web_link(record.html_url) AS page,
    named,
    CASE
        WHEN text_or_null(record.id) IS NULL THEN 'no id'
        WHEN text_or_null(record.full_name) IS NULL THEN 'no full_name'
    END AS reject_reason,
    landed_in
FROM landed({
    named: 'VARCHAR[]', record: 'STRUCT(id VARCHAR, full_name VARCHAR, html_url VARCHAR)'
})
