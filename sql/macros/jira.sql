-- What the SQL of Jira issues shares: an issue looks the same in a search, in a changelog and in a received body.

-- Of a Jira changelog, the changes that tell something about an incident: status, priority, assignee, custom fields.
CREATE OR REPLACE MACRO telling_changes(histories) AS
    list_filter(
        list_transform(histories, lambda h: struct_pack(
            id := h.id, created := h.created, author := h.author,
            items := list_filter(h.items, lambda i:
                coalesce(i.fieldId, i.field) IN ('status', 'priority', 'assignee')
                OR i.fieldtype = 'custom' OR starts_with(i.fieldId, 'customfield_')))),
        lambda h: len(h.items) > 0);

-- The id of a history; of one without an id, made of what it says.
CREATE OR REPLACE MACRO history_id_of(h) AS coalesce(
    text_or_null(h.id),
    content_id([h.created, h.author.accountId, h.author."key", h.author."name", h.author.displayName] || coalesce(flatten(
        list_transform(h.items, lambda i: [i.field, i.fieldId, i."from", i.fromString, i."to", i.toString])), [])));

-- What the description, the environment and the comments of an issue name, and its custom fields that hold something else than one
-- address: pages of records, with the place. They are read as they were sent, a text or a document in JSON.
CREATE OR REPLACE MACRO jira_names(fields) AS named_in(list_concat(
    list_transform(
        list_filter(map_entries(fields), lambda f:
            (starts_with(f.key, 'customfield_') OR f.key IN ('description', 'environment')) AND may_name_page(f.value::VARCHAR)),
        lambda f: {
            'place': CASE WHEN starts_with(f.key, 'customfield_') THEN 'field' ELSE 'description' END,
            'text_id': CASE WHEN NOT starts_with(f.key, 'customfield_') OR NOT names_one(f.value ->> '$') THEN f.key END,
            'text': f.value::VARCHAR}),
    CASE WHEN may_name_page(fields['comment']::VARCHAR) THEN list_transform(json_extract(fields['comment'], '$.comments[*]'),
        lambda c: {'place': 'comment', 'text_id': 'comment/' || (c ->> '$.id'), 'text': json_extract(c, '$.body')::VARCHAR}) END));

-- An issue without its id and its history, typed. `fields` is the map of its fields as JSON. Only custom fields and short system
-- fields are kept as they are: long ones (description, comments) stay in the landing zone.
CREATE OR REPLACE MACRO jira_issue(issue_key, self, fields, zone) AS struct_pack(
    "key" := issue_key,
    site_url := nullif(regexp_extract(self, '^(https?://.+?)/rest/api/', 1), ''),
    project_key := fields['project'] ->> '$.key',
    issue_type := text_or_null(fields['issuetype'] ->> '$.name'),
    title := text_or_null(fields['summary'] ->> '$'),
    status_id := fields['status'] ->> '$.id',
    status := fields['status'] ->> '$.name',
    status_category := fields['status'] ->> '$.statusCategory.key',
    resolution := text_or_null(fields['resolution'] ->> '$.name'),
    priority := text_or_null(fields['priority'] ->> '$.name'),
    reporter_type := text_or_null(fields['reporter'] ->> '$.accountType'),
    labels := json_transform(fields['labels'], '["VARCHAR"]'),
    component := text_or_null(fields['components'] ->> '$[0].name'),
    links := json_transform(fields['issuelinks'],
        '[{"type":{"name":"VARCHAR"},"outwardIssue":{"id":"VARCHAR","key":"VARCHAR"},"inwardIssue":{"id":"VARCHAR","key":"VARCHAR"}}]'),
    named := jira_names(fields),
    created_at := instant(fields['created'] ->> '$', zone),
    updated_at := instant(fields['updated'] ->> '$', zone),
    resolution_at := instant(fields['resolutiondate'] ->> '$', zone),
    status_category_changed_at := instant(fields['statuscategorychangedate'] ->> '$', zone),
    fields := map_from_entries(list_filter(map_entries(fields), lambda f:
        json_type(f.value) <> 'NULL' AND (starts_with(f.key, 'customfield_') OR length(f.value) < 100)))
);
