/*
description = """Deploys of Sentry releases in the common shape. Only deploys that went well are posted to Sentry. A release without a deploy is
none, whatever its dates say."""
like = "staging.deploys"
yields = "deploys"
not_null = ["source", "external_id", "finished_precision"]
unique = [["source", "external_id", "service"]]

[columns]
source = "="
external_id = "id of the deploy"
service = "each service of the projects of its release; NULL where the release is not known"
environment = "="
version = "version of the release, as people see it"
sha = "last commit of the release, else the commit that its version names"
status = "always success: nobody posts another one"
vendor_status = "always deployed"
requested_at = "when the server was told of it; only GlitchTip says it"
started_at = "="
finished_at = "as the caller said; where GlitchTip was not told, when it was told of the deploy"
finished_precision = "exact; interval where only the call is known"
first_commit_at = "earliest commit of the release, for its first known deploy to the environment"
title = "name of the deploy"
texts = "first lines of the messages of its commits, for its first known deploy to the environment"
url = "page of the deploy, else of the release"
is_shared = "whether the release brings out several services"
updated_at = "when the server was told of it"
landed_in = "="
*/
WITH known AS (
    SELECT
        d.*,
        r.version, r.sha, r.url AS release_url, c.first_commit_at, c.titles,
        coalesce(p.services, [NULL]) AS services,
        row_number() OVER (
            PARTITION BY d.release, d.environment ORDER BY coalesce(d.finished_at, d.created_at) NULLS LAST, d.external_id) AS nth
    FROM raw.${source}_deploys AS d
    LEFT JOIN raw.${source}_releases AS r ON r.external_id = d.release
    LEFT JOIN raw.${source}_commits AS c ON c.external_id = d.release
    LEFT JOIN staging.${source}_places AS p ON p.release = d.release
)
SELECT
    '${source}' AS source,
    external_id,
    unnest(services) AS service,
    environment,
    coalesce(version, release) AS version,
    sha,
    'success' AS status,
    'deployed' AS vendor_status,
    created_at AS requested_at,
    started_at,
    coalesce(finished_at, created_at) AS finished_at,
    CASE WHEN finished_at IS NOT NULL THEN 'exact' ELSE 'interval' END AS finished_precision,
    CASE WHEN nth = 1 THEN first_commit_at END AS first_commit_at,
    "name" AS title,
    CASE WHEN nth = 1 THEN titles END AS texts,
    coalesce(url, release_url) AS url,
    len(services) > 1 AS is_shared,
    coalesce(created_at, finished_at) AS updated_at,
    landed_in
FROM known
