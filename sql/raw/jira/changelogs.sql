/*
description = """Changelogs of Jira Cloud issues as POST /rest/api/3/changelog/bulkfetch pages them. One issue may come in
several pieces and again on a later night; every different piece is kept, a history counts once (Jira Cloud platform REST
API, Bulk fetch changelogs)."""
key = ["issue_id", "piece"]

[columns]
issue_id = "id of the issue"
piece = "made of the ids of the histories in it"
histories = "changes of status, priority, assignee and custom fields; created is ISO 8601 or an epoch number"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    issueId AS issue_id,
    content_id(list_transform(changeHistories, lambda h: history_id_of(h))) AS piece,
    telling_changes(changeHistories) AS histories,
    CASE WHEN text_or_null(issueId) IS NULL THEN 'no issueId' WHEN changeHistories IS NULL THEN 'no changeHistories' END
        AS reject_reason,
    landed_in
FROM landed({
    issueId: 'VARCHAR',
    changeHistories: 'STRUCT(id VARCHAR, created VARCHAR,
        author STRUCT(accountId VARCHAR, accountType VARCHAR, "key" VARCHAR, "name" VARCHAR, displayName VARCHAR),
        items STRUCT(field VARCHAR, fieldId VARCHAR, fieldtype VARCHAR, "from" VARCHAR, fromString VARCHAR, "to" VARCHAR,
            toString VARCHAR)[])[]'
})
