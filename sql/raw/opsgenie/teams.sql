/*
description = """Opsgenie teams as they are now (Opsgenie Team API, List teams). Each names its page (answers of live accounts): this list,
which every pull reads, tells where the pages of an account are, such as https://acme.app.opsgenie.com."""
key = ["external_id"]

[columns]
external_id = "id"
name = "name"
web_url = "address of the account's pages, from links.web"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    plain_text(name) AS name,
    nullif(regexp_extract(links.web, '^https://[^/]+'), '') AS web_url,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', name: 'VARCHAR', links: 'STRUCT(web VARCHAR)'
})
