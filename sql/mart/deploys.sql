/*
description = """Every deploy, one row per deploy and service. Records of several tools that are one deploy are one row, see deploy_records. Only those
with is_production count in delivery; `[sources.<name>.environment]` says which environments are production."""
published = true
like = "core.deploys"
not_null = ["deploy_id", "source", "external_id", "is_production", "finished_precision", "is_rollback", "was_rolled_back", "is_shared", "n_records", "n_incidents"]
unique = [["deploy_id"]]

[columns]
deploy_id = "="
source = "="
external_id = "="
service = "="
environment = "="
is_production = "="
version = "version or release; without its package where it would look like an e-mail address"
sha = "="
status = "="
vendor_status = "="
requested_at = "="
started_at = "="
finished_at = "="
finished_precision = "="
first_commit_at = "="
title = "="
is_rollback = "="
was_rolled_back = "="
is_shared = "="
n_records = "="
n_incidents = "counted incidents that it introduced, see incident_deploys"
url = "="
*/
SELECT
    d.deploy_id,
    d.source,
    d.external_id,
    d.service,
    d.environment,
    d.is_production,
    readable_version(d.version) AS version,
    d.sha,
    d.status,
    d.vendor_status,
    make_timestamptz(epoch_us(d.requested_at)) AS requested_at,
    make_timestamptz(epoch_us(d.started_at)) AS started_at,
    make_timestamptz(epoch_us(d.finished_at)) AS finished_at,
    d.finished_precision,
    make_timestamptz(epoch_us(d.first_commit_at)) AS first_commit_at,
    d.title,
    d.is_rollback,
    d.was_rolled_back,
    d.is_shared,
    d.n_records,
    coalesce(l.n, 0) AS n_incidents,
    d.url
FROM core.deploys AS d
LEFT JOIN (SELECT deploy_no, count(*) AS n FROM core.incident_deploys GROUP BY deploy_no) AS l ON l.deploy_no = d.deploy_no
ORDER BY d.finished_at, d.deploy_id
