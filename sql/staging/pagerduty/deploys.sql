/*
description = """PagerDuty change events that are deploys, as `[sources.pagerduty] change_events` says, a row for each of their services. An event
has no status, version, commit or environment of its own: they come from its custom details, where these keys are there."""
like = "staging.deploys"
yields = "deploys"
not_null = ["source", "external_id", "finished_precision"]
unique = [["source", "external_id", "service"]]

[columns]
source = "="
external_id = "PagerDuty id of the change event"
service = "as [sources.pagerduty.services] says of the service of the event; else its name"
environment = "custom detail environment, else env"
version = "custom detail version, else release, else tag"
sha = "custom detail sha, else commit, else commit_sha, else revision"
status = "custom detail status, else result, else build_state: success, failure or cancelled; NULL where none says it"
vendor_status = "the same as sent"
finished_at = "time of the event, which its sender set"
finished_precision = "always exact"
title = "text of the event"
url = "first link of the event"
is_shared = "="
landed_in = "="
*/
WITH deploys AS (
    SELECT c.*
    FROM raw.${source}_change_events AS c
    SEMI JOIN config.patterns AS p
        ON p.source = '${source}' AND (p.pattern = c.integration_id OR regexp_matches(c.summary, p.pattern))
),
named AS (
    SELECT d.external_id, coalesce(s.name, nullif(trim(d.service.summary), '')) AS service
    FROM (SELECT external_id, unnest(services) AS service FROM deploys) AS d
    LEFT JOIN raw.${source}_services AS s ON s.external_id = d.service.id
),
mapped AS (
    SELECT DISTINCT external_id, unnest(coalesce(nullif(list_distinct(m.services), []), [n.service])) AS service
    FROM named AS n
    LEFT JOIN config.deployed_services AS m ON m.source = '${source}' AND m.place = normalized(n.service)
),
told AS (
    SELECT
        external_id, summary, happened_at, url, landed_in,
        coalesce(json_text(details['environment']), json_text(details['env'])) AS environment,
        coalesce(json_text(details['version']), json_text(details['release']), json_text(details['tag'])) AS version,
        coalesce(json_text(details['sha']), json_text(details['commit']), json_text(details['commit_sha']), json_text(details['revision']))
            AS sha,
        coalesce(json_text(details['status']), json_text(details['result']), json_text(details['build_state'])) AS outcome
    FROM deploys
)
SELECT
    '${source}' AS source,
    t.external_id,
    m.service,
    t.environment,
    t.version,
    t.sha,
    CASE
        WHEN t.outcome IS NULL THEN 'success'  -- the event tells of a change that was made
        WHEN lower(t.outcome) IN ('success', 'succeeded', 'successful', 'passed', 'ok') THEN 'success'
        WHEN lower(t.outcome) IN ('failure', 'failed', 'error') THEN 'failure'
        WHEN lower(t.outcome) IN ('cancelled', 'canceled', 'aborted') THEN 'cancelled'
    END AS status,
    t.outcome AS vendor_status,
    t.happened_at AS finished_at,
    'exact' AS finished_precision,
    t.summary AS title,
    t.url,
    count(*) OVER (PARTITION BY t.external_id) > 1 AS is_shared,
    t.landed_in
FROM told AS t
LEFT JOIN mapped AS m ON m.external_id = t.external_id
