/*
description = """What GitHub deployments bring out first, one row per deployment: the commits that it has and the successful deployment before it, in
the same environment, has not."""
key = ["deployment_id"]

[columns]
deployment_id = "id of the deployment"
base_sha = "commit of the deployment before it"
comparison = "ahead, behind (it takes commits back), diverged or identical"
commits = "the new commits: sha, author date, first line of the message"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    deploymentId AS deployment_id,
    lower(text_or_null(base)) AS base_sha,
    lower(text_or_null(status)) AS comparison,
    commits,
    CASE WHEN text_or_null(deploymentId) IS NULL THEN 'no deploymentId' END AS reject_reason,
    landed_in
FROM landed({
    deploymentId: 'VARCHAR', base: 'VARCHAR', status: 'VARCHAR', commits: 'STRUCT(sha VARCHAR, authoredAt VARCHAR, title VARCHAR)[]'
})
