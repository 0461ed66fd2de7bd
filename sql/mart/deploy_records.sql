/*
description = """One row per vendor record of a deploy and service: the deploy that it is counted as. Records of different sources with the same service,
environment and commit whose finishes lie within ten minutes are one deploy."""
published = true
like = "core.deploy_records"
not_null = ["deploy_id", "source", "external_id", "finished_precision"]
unique = [["source", "external_id", "service"]]

[columns]
deploy_id = "deploy that the record is counted as, as in deploys"
source = "="
external_id = "="
service = "="
environment = "="
status = "="
finished_at = "="
finished_precision = "="
url = "="
*/
SELECT
    d.deploy_id, r.source, r.external_id, r.service, r.environment, r.status, make_timestamptz(epoch_us(r.finished_at)) AS finished_at,
    r.finished_precision, r.url
FROM core.deploy_records AS r
LEFT JOIN core.deploy_groups AS g ON g.record_no = r.record_no
JOIN core.deploys AS d ON d.deploy_no = coalesce(g.deploy_no, r.record_no)
ORDER BY r.source, r.external_id, r.service
