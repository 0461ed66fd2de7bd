/*
description = """The deploys of all sources, one row per record of a vendor and service, with names, environments and instants made comparable. What
is later than the clock of the run has not happened yet: a deploy that is asked for later is left out, one that ends later is not over."""
not_null = ["record_no", "source", "external_id", "is_production", "finished_precision"]
unique = [["record_no"], ["source", "external_id", "service"]]

[columns]
record_no = "number of the row"
source = "the account"
external_id = "the vendor's id of the deploy"
service = "service, after aliases and with one spelling; NULL when unknown"
environment = "name of the environment as written, else the configured one of deploys that name none; NULL when unknown"
is_production = "whether the vocabulary says that it is production"
environment_key = "what environments are compared by: the default names of production are one, other names are themselves"
version = "version or release"
sha = "commit"
commit_key = "what commits are compared by: the first seven hexadecimal digits, because some tools shorten them; of a version that is a commit too"
status = "success, failure, cancelled or rolled_back; NULL while it is not over"
vendor_status = "the vendor's word for it"
requested_at = "when it was asked for. UTC"
started_at = "when work on it began. UTC"
finished_at = "when it was over; NULL where nothing says it. UTC"
finished_precision = "exact, job, commit or interval"
first_commit_at = "author date of the earliest commit that it brought out first. UTC"
title = "what it is called"
texts = "further texts that may name incidents"
url = "page at the vendor"
rollback_of = "external_id, in the same source, of the deploy that it takes back"
says_rollback = "whether it is called a rollback"
caused = "ids, keys or addresses of records of incidents that it is said to have caused"
is_shared = "whether the vendor has one deploy for several services"
landed_in = "landing file"
*/
WITH placed AS (
    SELECT d.* REPLACE (coalesce(text_or_null(d.environment), u.environment) AS environment)
    FROM staging.deploys AS d
    LEFT JOIN config.unnamed_environments AS u ON u.source = d.source
),
environments AS (
    SELECT e.source, e.environment, m.meaning, m.setting
    FROM (SELECT DISTINCT source, environment FROM placed WHERE environment IS NOT NULL) AS e
    LEFT JOIN config.words AS m ON m.kind = 'environment' AND m.source = e.source AND m.word = normalized(e.environment)
),
present AS (
    SELECT
        d.*, n.name AS service_name, d.environment AS environment_name,
        coalesce(e.meaning = 'production', false) AS is_production,
        CASE WHEN e.meaning = 'production' AND e.setting IS NULL THEN 'production' ELSE nullif(normalized(d.environment), '') END AS environment_key,
        d.finished_at > run.as_of AS is_later
    FROM placed AS d
    CROSS JOIN config.run AS run
    LEFT JOIN environments AS e ON e.source = d.source AND e.environment = d.environment
    LEFT JOIN core.names AS n ON n.kind = 'service' AND n.written = d.service
    WHERE NOT coalesce(coalesce(d.requested_at, d.started_at, d.finished_at) > run.as_of, false)
)
SELECT
    row_number() OVER (ORDER BY source, external_id, service_name) - 1 AS record_no,
    source,
    external_id,
    service_name AS service,
    environment_name AS environment,
    is_production,
    environment_key,
    text_or_null(version) AS version,
    lower(text_or_null(sha)) AS sha,
    coalesce(
        CASE WHEN regexp_full_match(trim(sha), '(?i)[0-9a-f]{7,64}') THEN left(lower(trim(sha)), 7) ELSE lower(text_or_null(sha)) END,
        nullif(lower(regexp_extract(version, '(?i)(?:^|@)([0-9a-f]{7})[0-9a-f]{0,57}$', 1)), '')) AS commit_key,
    CASE WHEN NOT coalesce(is_later, false) THEN status END AS status,
    vendor_status,
    requested_at,
    CASE WHEN NOT coalesce(started_at > finished_at, false) THEN started_at END AS started_at,
    CASE WHEN NOT is_later THEN finished_at END AS finished_at,
    finished_precision,
    first_commit_at,
    text_or_null(title) AS title,
    texts,
    web_link(url) AS url,
    text_or_null(rollback_of) AS rollback_of,
    coalesce(says_rollback, false) AS says_rollback,
    caused,
    coalesce(is_shared, false) AS is_shared,
    landed_in
FROM present
QUALIFY row_number() OVER (PARTITION BY source, external_id, service_name ORDER BY service, updated_at DESC NULLS LAST, landed_in) = 1
