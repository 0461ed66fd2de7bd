/*
description = """Names of people who wrote in incident channels of Slack, by which other tools know them too. Nothing else of their profiles is
landed."""
key = ["external_id"]

[columns]
external_id = "id of somebody"
name = "full name"
is_bot = "whether it is a bot"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    text_or_null("name") AS name,
    coalesce(is_bot, false) AS is_bot,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({id: 'VARCHAR', "name": 'VARCHAR', is_bot: 'BOOLEAN'})
