/*
description = "PagerDuty teams as they are now. Empty where the account has no teams."
key = ["external_id"]

[columns]
external_id = "id"
name = "name"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    coalesce(plain_text(name), plain_text(summary)) AS name,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', name: 'VARCHAR', summary: 'VARCHAR'
})
