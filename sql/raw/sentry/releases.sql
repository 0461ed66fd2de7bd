/*
description = """The newest answer about each release that has deploys or is said to resolve an issue, typed, without people and counts of
errors. The date of a release is no finish: GlitchTip sets it with every call."""
key = ["external_id"]

[columns]
external_id = "version, unique in the organization"
version = "version as people see it"
sha = "its last commit, else the commit that its version names"
projects = "its projects: id, which stays, and slug, which a rename changes"
url = "page of the release, as the caller said"
released_at = "when somebody finalised it, as the caller said"
created_at = "when the server learned of it, which may be with its first error"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    coalesce(plain_text(record.shortVersion), text_or_null(id)) AS version,
    list_filter(
        [lower(plain_text(record.lastCommit.id)), regexp_extract(lower(id), '(?:^|@)([0-9a-f]+)$', 1)],
        lambda sha: coalesce(regexp_full_match(sha, '[0-9a-f]{40}|[0-9a-f]{64}'), false))[1] AS sha,
    list_distinct(list_filter(
        list_transform(record.projects, lambda one: {id: plain_text(one.id), slug: coalesce(plain_text(one.slug), plain_text(one.name))}),
        lambda one: one.slug IS NOT NULL)) AS projects,
    plain_text(record.url) AS url,
    instant(record.dateReleased) AS released_at,
    instant(record.dateCreated) AS created_at,
    CASE WHEN text_or_null(id) IS NULL THEN 'no version' END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR',
    record: 'STRUCT(shortVersion VARCHAR, lastCommit STRUCT(id VARCHAR), projects STRUCT(id VARCHAR, slug VARCHAR, "name" VARCHAR)[], url VARCHAR,
        dateReleased VARCHAR, dateCreated VARCHAR)'
})
