/*
description = "Custom deploys in the common shape. Whoever writes them knows when they were over, so the finish is exact."
like = "staging.deploys"
yields = "deploys"
not_null = ["source", "external_id", "finished_precision"]
unique = [["source", "external_id", "service"]]

[columns]
source = "="
external_id = "the deploy's own id"
service = "as written, or as [sources.custom.services] says of it or of the repository; else the last part of the repository"
environment = "as written; production where nothing is written"
version = "="
sha = "="
status = "="
vendor_status = "the same"
started_at = "="
finished_at = "="
finished_precision = "always exact"
title = "="
url = "link as written"
rollback_of = "="
says_rollback = "true where it names the deploy that it takes back"
caused = "="
is_shared = "="
updated_at = "="
landed_in = "landing file, then file and line of the import"
*/
WITH known AS (
    SELECT
        d.*,
        coalesce(
            nullif(list_distinct(s.services), []),
            CASE WHEN d.service IS NOT NULL THEN [d.service] END,
            nullif(list_distinct(r.services), []),
            [string_split(regexp_replace(d.repo, '(\.git)?/*$', ''), '/')[-1]]) AS services
    FROM raw.${source}_deploys AS d
    LEFT JOIN config.deployed_services AS s ON s.source = '${source}' AND s.place = normalized(d.service)
    LEFT JOIN config.deployed_services AS r ON r.source = '${source}' AND r.place = normalized(d.repo)
)
SELECT
    '${source}' AS source,
    external_id,
    unnest(services) AS service,
    environment,
    version,
    sha,
    status,
    status AS vendor_status,
    started_at,
    finished_at,
    'exact' AS finished_precision,
    title,
    url,
    rollback_of,
    CASE WHEN rollback_of IS NOT NULL THEN true END AS says_rollback,
    caused,
    len(services) > 1 AS is_shared,
    updated_at,
    landed_in
FROM known
