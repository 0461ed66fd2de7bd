/*
description = """What GitHub deployments bring out, and whether they take commits back. A commit that an earlier deployment brought out into the same
environment, and another one took back, is no new one."""
not_null = ["deployment_id"]
unique = [["deployment_id"]]

[columns]
deployment_id = "id of the deployment"
is_step_back = "whether its commit is an ancestor of the one that was there before"
first_commit_at = "earliest author date of the commits that it brings out first; the author's clock sets it"
titles = "first lines of the messages of its commits, in the order sent"
head_title = "first line of the message of the deployed commit"
*/
WITH commits AS (
    SELECT deployment_id, unnest(commits) AS c FROM raw.${source}_comparisons
),
new_commits AS (
    SELECT deployment_id, instant(c.authoredAt) AS authored_at
    FROM commits
    JOIN raw.${source}_deployments AS d ON d.external_id = deployment_id
    LEFT JOIN staging.${source}_outcomes AS o USING (deployment_id)
    QUALIFY row_number() OVER (
        PARTITION BY d.repository_id, normalized(coalesce(o.environment, d.environment)), c.sha
        ORDER BY o.finished_at, try_cast(deployment_id AS BIGINT), deployment_id
    ) = 1
),
firsts AS (
    SELECT deployment_id, min(authored_at) AS first_commit_at FROM new_commits GROUP BY deployment_id
)
SELECT
    r.deployment_id,
    coalesce(r.comparison = 'behind', false) AS is_step_back,
    f.first_commit_at,
    list_filter(list_transform(r.commits, lambda c: text_or_null(c.title)), lambda title: title IS NOT NULL) AS titles,
    text_or_null(r.commits[-1].title) AS head_title
FROM raw.${source}_comparisons AS r
LEFT JOIN firsts AS f USING (deployment_id)
