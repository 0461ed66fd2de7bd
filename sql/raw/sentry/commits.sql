/*
description = "The commits of a release that was brought out to production. The names of people are not landed."
key = ["external_id"]

[columns]
external_id = "version of the release"
first_commit_at = "earliest date of a commit; GlitchTip gives none"
titles = "first lines of the messages of the commits"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    list_min(list_transform(commits, lambda c: instant(c.dateCreated))) AS first_commit_at,
    list_filter(list_transform(commits, lambda c: plain_text(c.title)), lambda t: t IS NOT NULL) AS titles,
    CASE WHEN text_or_null(id) IS NULL THEN 'no version' END AS reject_reason,
    landed_in
FROM landed({id: 'VARCHAR', commits: 'STRUCT(title VARCHAR, dateCreated VARCHAR)[]'})
