/*
description = """One row per deploy and service: the records of several tools that are one deploy are one row, which has the id, the name and the
finish of the most precise record. A rollback is a successful deploy that brings back a version which this service and environment ran
before the current one began to run there, or one that says that it is a rollback. To run a version again after its rollback is none."""
like = "core.deploy_records"
not_null = ["deploy_id", "deploy_no", "source", "external_id", "is_production", "finished_precision", "is_rollback", "was_rolled_back", "n_records"]
unique = [["deploy_id"], ["deploy_no"]]

[assert]
known_status = "status IN ('success', 'failure', 'cancelled', 'rolled_back')"
known_precision = "finished_precision IN ('exact', 'job', 'commit', 'interval')"
only_success_takes_back = "NOT is_rollback OR status = 'success'"

[columns]
deploy_id = "UUIDv5 of source, external_id and service of its most precise record"
deploy_no = "number of the row; core.deploy_groups and core.deploy_records have it"
source = "source of the most precise record; of equally precise ones the first by name"
external_id = "the vendor's id of that record"
service = "="
environment = "="
environment_key = "="
is_production = "="
version = "="
sha = "="
status = "="
vendor_status = "="
requested_at = "="
started_at = "="
finished_at = "="
finished_precision = "="
first_commit_at = "="
title = "="
url = "="
is_rollback = "whether it is a fix that brings back an earlier version, and so no cause"
was_rolled_back = "whether a rollback took it back, or its record says so"
is_shared = "="
n_records = "records of different sources that are this deploy"
*/
WITH placed AS (
    SELECT
        coalesce(g.deploy_no, r.record_no) AS deploy_no, r.*,
        list_position(['exact', 'job', 'commit', 'interval'], r.finished_precision) AS place
    FROM core.deploy_records AS r
    LEFT JOIN core.deploy_groups AS g ON g.record_no = r.record_no
),
-- The most precise record tells; what it does not say, the others may.
best AS (
    SELECT *, 1 AS n_records FROM placed ANTI JOIN core.deploy_groups AS g ON g.record_no = placed.record_no
    UNION ALL BY NAME
    SELECT
        deploy_no,
        unnest(list(struct_pack(source := source, external_id := external_id, service := service, environment := environment,
            environment_key := environment_key, is_production := is_production, status := status, vendor_status := vendor_status,
            finished_at := finished_at, finished_precision := finished_precision) ORDER BY place, source)[1:1], recursive := true),
        first(version ORDER BY place, source) FILTER (version IS NOT NULL) AS version,
        first(sha ORDER BY place, source) FILTER (sha IS NOT NULL) AS sha,
        first(commit_key ORDER BY place, source) AS commit_key,
        min(requested_at) AS requested_at,
        first(started_at ORDER BY place, source) FILTER (started_at IS NOT NULL) AS started_at,
        min(first_commit_at) AS first_commit_at,
        first(title ORDER BY place, source) FILTER (title IS NOT NULL) AS title,
        first(url ORDER BY place, source) FILTER (url IS NOT NULL) AS url,
        bool_or(says_rollback) AS says_rollback,
        bool_or(is_shared) AS is_shared,
        count(*) AS n_records
    FROM placed SEMI JOIN core.deploy_groups AS g ON g.record_no = placed.record_no
    GROUP BY deploy_no
),
-- What a service and environment ran, in order: each successful deploy with the one before it, and when each version first ran.
ran AS (
    SELECT
        deploy_no,
        lag(deploy_no) OVER in_order AS before_no,
        lag(ran) OVER in_order AS ran_before,
        ran,
        min(finished_at) OVER (PARTITION BY service, environment_key, ran) AS first_ran_at,
        finished_at
    FROM (
        SELECT deploy_no, service, environment_key, coalesce(commit_key, version) AS ran, finished_at
        FROM best
        WHERE status IN ('success', 'rolled_back') AND finished_at IS NOT NULL AND finished_precision <> 'commit' AND service IS NOT NULL AND environment_key IS NOT NULL
    )
    WINDOW in_order AS (PARTITION BY service, environment_key ORDER BY finished_at, deploy_no)
),
backwards AS (
    SELECT r.deploy_no
    FROM ran AS r
    JOIN ran AS b ON b.deploy_no = r.before_no
    WHERE r.ran <> r.ran_before AND r.first_ran_at < b.first_ran_at
),
-- Which deploy a rollback took back: the one that it names, else the one that ran before it.
taken_back AS (
    SELECT t.deploy_no
    FROM placed AS p
    JOIN placed AS t ON t.source = p.source AND t.external_id = p.rollback_of
    WHERE p.status = 'success' AND t.service IS NOT DISTINCT FROM p.service
    UNION
    SELECT r.before_no
    FROM ran AS r
    JOIN best AS b ON b.deploy_no = r.deploy_no
    LEFT JOIN backwards AS w ON w.deploy_no = r.deploy_no
    ANTI JOIN (SELECT deploy_no FROM placed WHERE rollback_of IS NOT NULL) AS named ON named.deploy_no = r.deploy_no
    WHERE r.before_no IS NOT NULL AND (w.deploy_no IS NOT NULL OR b.says_rollback)
)
SELECT
    incident_uuid('deploy', b.source || chr(31) || b.external_id || chr(31) || coalesce(b.service, ''), 1) AS deploy_id,
    b.deploy_no,
    b.source,
    b.external_id,
    b.service,
    b.environment,
    b.environment_key,
    b.is_production,
    b.version,
    b.sha,
    b.status,
    b.vendor_status,
    b.requested_at,
    b.started_at,
    b.finished_at,
    b.finished_precision,
    b.first_commit_at,
    b.title,
    b.url,
    coalesce(b.status = 'success', false) AND (b.says_rollback OR w.deploy_no IS NOT NULL OR named.deploy_no IS NOT NULL) AS is_rollback,
    coalesce(b.status = 'rolled_back', false) OR t.deploy_no IS NOT NULL AS was_rolled_back,
    b.is_shared,
    b.n_records
FROM best AS b
LEFT JOIN backwards AS w ON w.deploy_no = b.deploy_no
LEFT JOIN taken_back AS t ON t.deploy_no = b.deploy_no
LEFT JOIN (SELECT DISTINCT deploy_no FROM placed WHERE rollback_of IS NOT NULL) AS named ON named.deploy_no = b.deploy_no
ORDER BY b.deploy_no
