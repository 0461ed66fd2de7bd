/*
description = """GitHub deployments, and releases of repositories without any, in the common shape. A task that is no deploy, such as lint, is left out. A
release says nothing of when it was brought out: its finish is the date of the tagged commit."""
yields = "deploys"
unique = [["external_id", "service"]]

[columns]
source = "the account"
external_id = "id of the deployment; for a release, `release` and its id"
service = "service that the repository brings out"
environment = "environment as sent; NULL for one that exists for this deployment only, such as a preview"
version = "branch or tag; NULL where the commit was asked for"
sha = "commit"
status = "success, failure or cancelled; NULL while it is not over"
vendor_status = "state of the newest status; `published` for a release"
requested_at = "when it was asked for"
started_at = "when work on it began"
finished_at = "when its first success, else its first failure, was set; of a release, the date of the tagged commit"
finished_precision = "exact; commit for a release"
first_commit_at = "earliest author date of what it brings out first"
title = "what the caller says about it, else the first line of its commit's message"
texts = "first lines of the messages of what it brings out first, a text of its payload; the notes of a release"
url = "page of its log, else of its environment, else of the repository's deployments"
says_rollback = "true where its task says so, or its commit is an ancestor of the one before; NULL where neither is known"
is_shared = "whether the repository brings out several services"
updated_at = "when it, or a status of it, changed last"
landed_in = "landing file"
*/
WITH deployments AS (
    SELECT
        '${source}' AS source,
        d.external_id,
        d.repository_id,
        -- A name alone is not enough: production is the default of callers that name none.
        CASE WHEN NOT d.is_transient THEN coalesce(o.environment, d.environment) END AS environment,
        CASE WHEN d.ref <> d.sha AND NOT starts_with(d.sha, lower(d.ref)) THEN d.ref END AS version,
        d.sha,
        o.status,
        o.vendor_status,
        d.created_at AS requested_at,
        o.started_at,
        o.finished_at,
        'exact' AS finished_precision,
        b.first_commit_at,
        coalesce(d.description, b.head_title, d.payload_text) AS title,
        list_filter(coalesce(b.titles, []) || [d.payload_text], lambda text: text IS NOT NULL) AS texts,
        o.page,
        CASE WHEN contains(d.task, 'rollback') OR b.is_step_back THEN true WHEN b.deployment_id IS NOT NULL THEN false END AS says_rollback,
        d.updated_at,
        d.landed_in
    FROM raw.${source}_deployments AS d
    LEFT JOIN staging.${source}_outcomes AS o ON o.deployment_id = d.external_id
    LEFT JOIN staging.${source}_brought_out AS b ON b.deployment_id = d.external_id
    WHERE starts_with(d.task, 'deploy') OR starts_with(d.task, 'rollback')
),
releases AS (
    SELECT
        '${source}' AS source,
        'release ' || r.external_id AS external_id,
        r.repository_id,
        r.environment,
        r.tag AS version,
        'success' AS status,
        'published' AS vendor_status,
        r.committed_at AS finished_at,
        'commit' AS finished_precision,
        coalesce(r.title, r.tag) AS title,
        list_filter([r.body], lambda text: text IS NOT NULL) AS texts,
        r.page,
        r.updated_at,
        r.landed_in
    FROM raw.${source}_releases AS r
    ANTI JOIN raw.${source}_deployments AS d ON d.repository_id = r.repository_id
    WHERE NOT r.is_draft
),
together AS (
    SELECT * FROM deployments
    UNION ALL BY NAME
    SELECT * FROM releases
)
SELECT
    t.source,
    t.external_id,
    unnest(coalesce(p.services, [NULL])) AS service,
    t.environment,
    t.version,
    t.sha,
    t.status,
    t.vendor_status,
    t.requested_at,
    t.started_at,
    t.finished_at,
    t.finished_precision,
    t.first_commit_at,
    t.title,
    t.texts,
    coalesce(t.page, p.page) AS url,
    t.says_rollback,
    coalesce(len(p.services) > 1, false) AS is_shared,
    t.updated_at,
    t.landed_in
FROM together AS t
LEFT JOIN staging.${source}_places AS p ON p.repository_id = t.repository_id
