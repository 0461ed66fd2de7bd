/*
description = """GitLab deployments in the common shape. A deployment that a job made is over when its job ended. Of one that the API
made, only a window is known: it was made before, its last change is not earlier, and GitLab may tell the hour. The middle of the
window stands for the finish if it is at most a day wide: neither end does, nor the time of the pull. A re-run of a job is a deploy of its own, and GitLab calls none a rollback."""
like = "staging.deploys"
yields = "deploys"
not_null = ["source", "external_id", "finished_precision"]
unique = [["source", "external_id", "service"]]

[columns]
source = "="
external_id = "id of the deployment, unique in this GitLab"
service = "as [sources.gitlab.services] says of the project, by its name or an earlier one; else the last part of its name"
environment = "="
version = "tag, where it brings out one"
sha = "="
status = "failed is failure; canceled and skipped are cancelled; NULL for created, running, blocked and words that are not known"
vendor_status = "="
requested_at = "when the deployment was made"
started_at = "when its job began"
finished_at = "end of its job, or the middle of the window in which it finished; NULL where that is wider than a day"
finished_precision = "job, or interval where no job made it"
first_commit_at = "="
title = "title of its commit"
texts = "titles of the commits that it brought out first"
url = "page of its job, else of its environments"
is_shared = "="
updated_at = "="
landed_in = "="
*/
WITH known AS (
    SELECT
        d.*,
        CASE d.status
            WHEN 'success' THEN 'success' WHEN 'failed' THEN 'failure' WHEN 'canceled' THEN 'cancelled' WHEN 'skipped' THEN 'cancelled'
        END AS outcome,
        greatest(d.created_at, coalesce(f.since, d.created_at)) AS not_before,
        least(d.updated_at, coalesce(f.until, d.updated_at)) AS not_after,
        p.web_url, c.first_commit_at, c.titles,
        coalesce(nullif(list_distinct(now.services), []), nullif(list_distinct(before.services), []), [string_split(p.path, '/')[-1]])
            AS services
    FROM raw.${source}_deployments AS d
    LEFT JOIN raw.${source}_finishes AS f ON f.external_id = d.external_id
    LEFT JOIN raw.${source}_commits AS c ON c.external_id = d.external_id
    LEFT JOIN raw.${source}_projects AS p ON p.project_id = d.project_id
    LEFT JOIN config.deployed_services AS now ON now.source = '${source}' AND now.place = normalized(p.path)
    LEFT JOIN config.deployed_services AS before ON before.source = '${source}' AND before.place = normalized(p.asked)
)
SELECT
    '${source}' AS source,
    external_id,
    unnest(services) AS service,
    environment,
    CASE WHEN is_tag THEN ref END AS version,
    sha,
    outcome AS status,
    status AS vendor_status,
    created_at AS requested_at,
    job_started_at AS started_at,
    CASE
        WHEN outcome IS NULL THEN NULL
        WHEN job_finished_at IS NOT NULL THEN job_finished_at
        WHEN has_job AND outcome <> 'success' THEN NULL  -- it never ran
        WHEN not_after - not_before BETWEEN INTERVAL 0 SECOND AND INTERVAL 1 DAY
            THEN make_timestamp((epoch_us(not_before) + epoch_us(not_after)) // 2)
    END AS finished_at,
    CASE WHEN has_job AND (job_finished_at IS NOT NULL OR outcome IS NULL) THEN 'job' ELSE 'interval' END AS finished_precision,
    first_commit_at,
    title,
    titles AS texts,
    coalesce(job_url, web_url || '/-/environments') AS url,
    len(services) > 1 AS is_shared,
    updated_at,
    landed_in
FROM known
