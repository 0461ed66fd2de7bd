/*
description = """The commits that a GitLab deployment brought out first: those between the commit that was live before in its environment,
and its own. None where it goes back. The names of people are not landed."""
key = ["external_id"]

[columns]
external_id = "id of the deployment"
sha_before = "commit that was live before"
first_commit_at = "earliest author date; dates are set by the clients of people"
titles = "titles of the commits"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    text_or_null("from") AS sha_before,
    list_min(list_transform(commits, lambda c: instant(c.authored_date))) AS first_commit_at,
    list_filter(list_transform(commits, lambda c: plain_text(c.title)), lambda t: t IS NOT NULL) AS titles,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({id: 'VARCHAR', "from": 'VARCHAR', commits: 'STRUCT(title VARCHAR, authored_date VARCHAR)[]'})
