/*
description = """The versions that services ran in production, one row per service and version: the deploy that brought it out first, and when.
Versions are compared without the package before an @, commits by their first seven digits."""
not_null = ["service", "release", "deploy_no"]
unique = [["service", "release"]]

[columns]
service = "service of the deploy"
release = "what the version or the commit is compared by"
deploy_no = "the first deploy of it that ran, as in core.deploys"
first_ran_at = "when that one was over; NULL where only the time of a commit is known. UTC"
*/
SELECT service, release, arg_min(deploy_no, (finished_at, deploy_no)) AS deploy_no,
    min(finished_at) FILTER (finished_precision <> 'commit') AS first_ran_at
FROM (
    SELECT service, deploy_no, finished_at, finished_precision, unnest(list_distinct([release_key(version), release_key(sha)])) AS release
    FROM core.deploys
    WHERE is_production AND status IN ('success', 'rolled_back') AND finished_at IS NOT NULL AND service IS NOT NULL
)
WHERE release IS NOT NULL
GROUP BY service, release
