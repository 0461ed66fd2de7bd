/*
description = """The episodes of issues of error trackers, one row per issue and episode: from when it was first seen, from a regression or from when
somebody reopened it, until it was resolved, with the fix of that episode and whether it held."""
published = true
like = "core.error_episodes"
not_null = ["source", "external_id", "episode", "began_at", "began_by", "is_over_unknown"]
unique = [["source", "external_id", "episode"]]

[columns]
source = "="
external_id = "="
episode = "="
began_at = "="
began_by = "="
began_not_before = "="
began_release = "="
introduced_by = "deploy_id of the production deploy of its service that brought out that version first; NULL when unknown"
resolved_at = "="
resolved_not_before = "="
resolved_provenance = "="
resolved_by = "="
resolved_release = "="
is_over_unknown = "="
fix_at = "when its fix was out; NULL without one. UTC"
fix_method = "release, commit or resolve: what the fix is known by"
fix_deploy_id = "deploy_id of the deploy that fixed it; NULL where only the resolve is known"
fix_state = "confirmed, pending, ineffective or unknown, see error_issues"
fix_confirmed_at = "when the first 30 minutes without events after the fix were over, at the latest; NULL unless confirmed. UTC"
fix_confirmed_not_before = "when they were over at the earliest. UTC"
*/
SELECT
    p.source, p.external_id, p.episode,
    make_timestamptz(epoch_us(p.began_at)) AS began_at,
    p.began_by,
    make_timestamptz(epoch_us(p.began_not_before)) AS began_not_before,
    p.began_release,
    d.deploy_id AS introduced_by,
    make_timestamptz(epoch_us(p.resolved_at)) AS resolved_at,
    make_timestamptz(epoch_us(p.resolved_not_before)) AS resolved_not_before,
    p.resolved_provenance,
    p.resolved_by,
    p.resolved_release,
    p.is_over_unknown,
    make_timestamptz(epoch_us(f.fix_at)) AS fix_at,
    f.fix_method,
    fix.deploy_id AS fix_deploy_id,
    f.fix_state,
    make_timestamptz(epoch_us(f.confirmed_at)) AS fix_confirmed_at,
    make_timestamptz(epoch_us(f.confirmed_not_before)) AS fix_confirmed_not_before
FROM core.error_episodes AS p
LEFT JOIN core.deploys AS d ON d.deploy_no = p.introduced_no
LEFT JOIN core.error_fixes AS f ON f.source = p.source AND f.external_id = p.external_id AND f.episode = p.episode
LEFT JOIN core.deploys AS fix ON fix.deploy_no = f.fix_deploy_no
ORDER BY p.source, p.external_id, p.episode
