/*
description = """What became of GitHub deployments, by their statuses. The first success decides, else the first failure: a later `inactive` says that
another deployment took its place, and `updated_at` moves with it."""
not_null = ["deployment_id"]
unique = [["deployment_id"]]

[columns]
deployment_id = "id of the deployment"
status = "success, failure, or cancelled where a failure says so in words; NULL while it is not over"
vendor_status = "state of the newest status"
started_at = "when work on it began: the first status in_progress"
finished_at = "when the first success, else the first failure or error, was set"
environment = "environment that the deciding status names, else the newest one that names any; NULL where none does"
page = "page of the log, else of the environment, that the same status names"
*/
WITH statuses AS (
    SELECT deployment_id, unnest(statuses) AS s FROM raw.${source}_deployment_statuses
),
dated AS (
    SELECT
        deployment_id,
        lower(text_or_null(s.state)) AS state,
        instant(s.created_at) AS at,
        text_or_null(s.environment) AS environment,
        regexp_matches(s.description, '\bcancell?ed\b', 'i') AS is_cancelled,
        coalesce(web_link(s.log_url), web_link(s.environment_url)) AS page,
        row_number() OVER (PARTITION BY deployment_id ORDER BY instant(s.created_at), try_cast(s.id AS BIGINT), s.id) AS place
    FROM statuses
    WHERE instant(s.created_at) IS NOT NULL
),
decided AS (
    SELECT
        deployment_id,
        coalesce(min(place) FILTER (state = 'success'), min(place) FILTER (state IN ('failure', 'error'))) AS place
    FROM dated
    GROUP BY deployment_id
)
SELECT
    a.deployment_id,
    any_value(CASE WHEN a.state = 'success' THEN 'success' WHEN a.is_cancelled THEN 'cancelled' ELSE 'failure' END)
        FILTER (a.place = d.place) AS status,
    arg_max(a.state, a.place) AS vendor_status,
    min(a.at) FILTER (a.state = 'in_progress') AS started_at,
    min(a.at) FILTER (a.place = d.place) AS finished_at,
    coalesce(any_value(a.environment) FILTER (a.place = d.place), arg_max(a.environment, a.place) FILTER (a.environment IS NOT NULL))
        AS environment,
    coalesce(any_value(a.page) FILTER (a.place = d.place), arg_max(a.page, a.place) FILTER (a.page IS NOT NULL)) AS page
FROM dated AS a
JOIN decided AS d ON d.deployment_id = a.deployment_id
GROUP BY a.deployment_id
