/*
description = """Remote links of Jira issues, one row per issue with all links that it had when they were read last (Jira platform REST API, Get
remote issue links)."""
key = ["issue_id"]

[columns]
issue_id = "numeric id of the issue"
urls = "addresses that the links lead to, in the form in which two are compared"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    issueId AS issue_id,
    list_sort(list_distinct(list_filter(
        list_transform(remoteLinks, lambda l: canonical_url(l."object".url)), lambda url: url IS NOT NULL))) AS urls,
    CASE WHEN text_or_null(issueId) IS NULL THEN 'no issueId' WHEN remoteLinks IS NULL THEN 'no remoteLinks' END AS reject_reason,
    landed_in
FROM landed({
    issueId: 'VARCHAR', remoteLinks: 'STRUCT("object" STRUCT(url VARCHAR))[]'
})
