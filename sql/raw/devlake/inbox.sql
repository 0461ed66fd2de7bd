/*
description = "Deployments in the shape of DevLake's webhook, one row per deployment: a later body with the same id replaces it."
inbox = true
key = ["external_id"]

[columns]
external_id = "id of the deployment"
title = "displayTitle, else name"
environment = "environment as sent; PRODUCTION where nothing is sent"
outcome = "result, in capitals; SUCCESS where nothing is sent"
url = "page of the deployment"
requested_at = "createdDate"
started_at = "startedDate, else the earliest of its commits"
finished_at = "finishedDate, else the latest of its commits"
commits = "what it brought out, one of each repository"
reject_reason = "why the body cannot be used"
landed_in = "landing file, then file and line of the inbox"
*/
WITH bodies AS (
    SELECT
        body, unreadable, reason, zone,
        landed_in || ' (' || file || ':' || line || ')' AS landed_in,
        json_text(body -> '$.id') AS id,
        list_transform(
            json_transform(body -> '$.deploymentCommits', '[{"repoUrl":"VARCHAR","commitSha":"VARCHAR","refName":"VARCHAR",
                "commitMsg":"VARCHAR","startedDate":"VARCHAR","finishedDate":"VARCHAR"}]'),
            lambda c: struct_pack(
                repo := text_or_null(c.repoUrl), sha := text_or_null(c.commitSha), message := text_or_null(c.commitMsg),
                started_at := instant(c.startedDate, zone), finished_at := instant(c.finishedDate, zone))) AS commits
    FROM landed({file: 'VARCHAR', line: 'BIGINT', unreadable: 'VARCHAR', reason: 'VARCHAR', body: 'JSON'})
    CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
),
stamped AS (
    SELECT
        *,
        text_or_null(body ->> '$.createdDate') AS created, text_or_null(body ->> '$.startedDate') AS started,
        text_or_null(body ->> '$.finishedDate') AS finished
    FROM bodies
)
SELECT
    id AS external_id,
    coalesce(json_text(body -> '$.displayTitle'), json_text(body -> '$.name')) AS title,
    coalesce(json_text(body -> '$.environment'), 'PRODUCTION') AS environment,
    upper(coalesce(json_text(body -> '$.result'), 'SUCCESS')) AS outcome,
    text_or_null(body ->> '$.url') AS url,
    instant(created, zone) AS requested_at,
    coalesce(instant(started, zone), list_min(list_transform(commits, lambda c: c.started_at))) AS started_at,
    coalesce(instant(finished, zone), list_max(list_transform(commits, lambda c: c.finished_at))) AS finished_at,
    commits,
    CASE
        WHEN unreadable IS NOT NULL THEN unreadable_reason(reason, unreadable)
        WHEN id IS NULL THEN 'no id'
        ELSE coalesce(
            CASE WHEN created IS NOT NULL THEN instant_problem('createdDate', created, instant(created, zone)) END,
            CASE WHEN started IS NOT NULL THEN instant_problem('startedDate', started, instant(started, zone)) END,
            CASE WHEN finished IS NOT NULL THEN instant_problem('finishedDate', finished, instant(finished, zone)) END,
            CASE WHEN finished IS NULL AND len(list_filter(commits, lambda c: c.finished_at IS NOT NULL)) IS DISTINCT FROM len(commits)
                THEN 'finishedDate is missing, or no instant, in a deploymentCommit' END,
            CASE WHEN finished IS NULL AND coalesce(len(commits), 0) = 0 THEN 'finishedDate is missing' END)
    END AS reject_reason,
    landed_in
FROM stamped
