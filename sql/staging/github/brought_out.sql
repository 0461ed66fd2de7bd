/*
description = "What GitHub deployments bring out first, and whether they take commits back."
not_null = ["deployment_id"]
unique = [["deployment_id"]]

[columns]
deployment_id = "id of the deployment"
is_step_back = "whether its commit is an ancestor of the one that was there before"
first_commit_at = "earliest author date of the new commits; the author's clock sets it"
titles = "first lines of their messages, in the order sent"
head_title = "first line of the message of the deployed commit"
*/
SELECT
    deployment_id,
    coalesce(comparison = 'behind', false) AS is_step_back,
    list_min(list_transform(commits, lambda c: instant(c.authoredAt))) AS first_commit_at,
    list_distinct(list_filter(list_transform(commits, lambda c: text_or_null(c.title)), lambda title: title IS NOT NULL)) AS titles,
    text_or_null(commits[-1].title) AS head_title
FROM raw.${source}_comparisons
