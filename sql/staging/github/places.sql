/*
description = """Services that GitHub repositories bring out: those of the setting `services`, under the name that a repository has now or one by which
it is configured, with or without the owner; else one of the repository's own name."""
not_null = ["repository_id", "services"]
unique = [["repository_id"]]

[columns]
repository_id = "id of the repository"
services = "names of the services"
page = "page with the repository's deployments"
*/
WITH names AS (
    SELECT external_id, unnest(list_distinct([full_name] || coalesce(named, []))) AS name FROM raw.${source}_repositories
),
mapped AS (
    SELECT n.external_id, list_sort(list_distinct(arg_min(d.services, d.place <> normalized(n.name)))) AS services
    FROM names AS n
    JOIN config.deployed_services AS d
        ON d.source = '${source}' AND d.place IN (normalized(n.name), normalized(split_part(n.name, '/', 2)))
    GROUP BY n.external_id
)
SELECT
    r.external_id AS repository_id,
    coalesce(m.services, [split_part(r.full_name, '/', -1)]) AS services,
    r.page || '/deployments' AS page
FROM raw.${source}_repositories AS r
LEFT JOIN mapped AS m ON m.external_id = r.external_id
