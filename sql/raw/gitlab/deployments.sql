/*
description = """The newest payload of each GitLab deployment, typed. The documented row has no finish of its own; updated_at moves with
every later change (GitLab Deployments API)."""
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "id of the deployment, unique in this GitLab"
iid = "its number in the project"
project_id = "id of the project"
environment = "name of the environment, which may be renamed"
status = "created, running, success, failed, canceled, blocked or skipped; others are kept as sent"
sha = "commit"
ref = "branch or tag"
is_tag = "whether ref is a tag; NULL where no job made it"
has_job = "whether a job made it; else the API did"
job_started_at = "when its job began"
job_finished_at = "when its job ended: work that the job started elsewhere may go on"
job_url = "page of the job"
title = "title of the commit"
created_at = "when it was asked for; it may wait for an approval after that"
updated_at = "when it changed last"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
WITH lines AS (
    SELECT
        id, project_id, record, landed_in,
        plain_text(record.created_at) AS created, plain_text(record.updated_at) AS updated,
        plain_text(record.deployable.started_at) AS started, plain_text(record.deployable.finished_at) AS finished
    FROM landed({
        id: 'VARCHAR', project_id: 'VARCHAR',
        record: 'STRUCT(iid VARCHAR, ref VARCHAR, sha VARCHAR, created_at VARCHAR, updated_at VARCHAR, status VARCHAR,
            environment STRUCT("name" VARCHAR),
            deployable STRUCT(id VARCHAR, tag VARCHAR, started_at VARCHAR, finished_at VARCHAR, web_url VARCHAR,
                "commit" STRUCT(title VARCHAR)))'
    })
)
SELECT
    id AS external_id,
    try_cast(record.iid AS BIGINT) AS iid,
    text_or_null(project_id) AS project_id,
    plain_text(record.environment.name) AS environment,
    lower(plain_text(record.status)) AS status,
    plain_text(record.sha) AS sha,
    plain_text(record.ref) AS ref,
    try_cast(record.deployable.tag AS BOOLEAN) AS is_tag,
    record.deployable.id IS NOT NULL AS has_job,
    instant(started) AS job_started_at,
    instant(finished) AS job_finished_at,
    plain_text(record.deployable.web_url) AS job_url,
    plain_text(record.deployable.commit.title) AS title,
    instant(created) AS created_at,
    instant(updated) AS updated_at,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id'
        ELSE coalesce(
            instant_problem('created_at', created, instant(created)),
            CASE WHEN updated IS NOT NULL THEN instant_problem('updated_at', updated, instant(updated)) END,
            CASE WHEN started IS NOT NULL THEN instant_problem('deployable.started_at', started, instant(started)) END,
            CASE WHEN finished IS NOT NULL THEN instant_problem('deployable.finished_at', finished, instant(finished)) END)
    END AS reject_reason,
    landed_in
FROM lines
