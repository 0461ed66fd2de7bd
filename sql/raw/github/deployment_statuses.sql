/*
description = "Statuses of GitHub deployments, one row per deployment: what it was at which instant."
key = ["deployment_id"]

[columns]
deployment_id = "id of the deployment"
statuses = "its statuses as sent: id, state, description, environment, pages, when it was set"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    deploymentId AS deployment_id,
    statuses,
    CASE
        WHEN text_or_null(deploymentId) IS NULL THEN 'no deploymentId'
        WHEN statuses IS NULL THEN 'no statuses'
    END AS reject_reason,
    landed_in
FROM landed({
    deploymentId: 'VARCHAR',
    statuses: 'STRUCT(id VARCHAR, state VARCHAR, description VARCHAR, environment VARCHAR, environment_url VARCHAR, log_url VARCHAR,
        created_at VARCHAR)[]'
})
