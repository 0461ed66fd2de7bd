/*
description = "Deployments in the shape of DevLake's webhook, a row for each service whose repository they brought out."
like = "staging.deploys"
yields = "deploys"
not_null = ["source", "external_id", "finished_precision"]
unique = [["source", "external_id", "service"]]

[columns]
source = "="
external_id = "id of the deployment"
service = "as [sources.devlake.services] says of the repository (`owner/name`); else the last part of its name"
environment = "="
sha = "commit of that repository"
status = "="
vendor_status = "result as sent"
requested_at = "createdDate"
started_at = "="
finished_at = "="
finished_precision = "always exact"
title = "="
texts = "messages of its commits"
url = "="
is_shared = "="
landed_in = "landing file, then file and line of the inbox"
*/
WITH parts AS (
    SELECT *, unnest(coalesce(nullif(commits, []), [NULL])) AS part FROM raw.${source}_inbox
),
places AS (
    SELECT
        *,
        regexp_replace(regexp_replace(part.repo, '^([a-z+]+://[^/]+/|[^@/]+@[^:/]+:)', ''), '(\.git)?/*$', '') AS place
    FROM parts
),
served AS (
    SELECT p.*, coalesce(nullif(list_distinct(s.services), []), [string_split(p.place, '/')[-1]]) AS services
    FROM places AS p
    LEFT JOIN config.deployed_services AS s ON s.source = '${source}' AND s.place = normalized(p.place)
),
flat AS (
    SELECT * EXCLUDE (services), unnest(services) AS service FROM served
),
-- Of two repositories that are one service, the one that was over last.
single AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY external_id, service ORDER BY part.finished_at DESC NULLS LAST, part.sha, part.repo) AS place_in_service,
        min(service) OVER (PARTITION BY external_id) IS DISTINCT FROM max(service) OVER (PARTITION BY external_id) AS is_shared
    FROM flat
)
SELECT
    '${source}' AS source,
    external_id,
    service,
    environment,
    part.sha AS sha,
    CASE WHEN outcome = 'SUCCESS' THEN 'success' WHEN outcome = 'FAILURE' THEN 'failure'
        WHEN outcome IN ('ABORT', 'ABORTED', 'CANCELED', 'CANCELLED') THEN 'cancelled' END AS status,
    outcome AS vendor_status,
    requested_at,
    started_at,
    finished_at,
    'exact' AS finished_precision,
    title,
    list_filter(list_transform(commits, lambda c: c.message), lambda m: m IS NOT NULL) AS texts,
    url,
    is_shared,
    landed_in
FROM single
WHERE place_in_service = 1
