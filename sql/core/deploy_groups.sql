/*
description = """Which records of different sources are one deploy: the same service, environment and commit, the same status, and finishes within
ten minutes. Two records of one source never are: a re-run is a deploy of its own. The nearest finishes are joined first, so a record
joins the nearest; of equal distances, those that finished first."""
python = "mttr_pipeline.metrics.deploys:groups"
depends = ["core.deploy_records"]
not_null = ["record_no", "deploy_no"]
unique = [["record_no"]]

[columns]
record_no = "record, as in core.deploy_records; only those that are joined to another have a row"
deploy_no = "the least record_no of its deploy"
*/
SELECT record_no::BIGINT AS record_no, deploy_no::BIGINT AS deploy_no FROM computed
