/*
description = """Entries of the histories of issues, and comments, of all pulls together: a server gives the newest hundred only. Its ids are given
anew now and then, so an entry is known by its issue, type, second and person. One that named no release and names one later has
two rows."""
key = ["external_id", "vendor_type", "happened_second", "person", "release"]

[columns]
external_id = "id of the issue"
vendor_type = "what it says"
happened_second = "when, to the second"
person = "id of the person; empty without one"
release = "version that it names; empty without one"
happened_at = "when"
actor = "name of the person, else of the app"
is_app = "whether an app did it"
integration = "what did it in the name of others, such as a rule of ownership"
notes = "text of a comment"
merged = "ids of issues that became part of this one"
read_at = "when it was read"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    text_or_null(id) AS external_id,
    text_or_null("type") AS vendor_type,
    date_trunc('second', instant(dateCreated)) AS happened_second,
    coalesce(text_or_null("user".id), '') AS person,
    coalesce(text_or_null(data.version), '') AS release,
    instant(dateCreated) AS happened_at,
    coalesce(plain_text("user".name), plain_text(app)) AS actor,
    text_or_null(app) IS NOT NULL AS is_app,
    lower(text_or_null(data.integration)) AS integration,
    text_or_null(data.text) AS notes,
    coalesce(list_filter(merged, lambda one: one IS NOT NULL), []) AS merged,
    instant(read_at) AS read_at,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id'
        WHEN text_or_null("type") IS NULL THEN 'no type'
        ELSE coalesce(instant_problem('dateCreated', dateCreated, instant(dateCreated)), instant_problem('read_at', read_at, instant(read_at)))
    END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', read_at: 'VARCHAR', "type": 'VARCHAR', dateCreated: 'VARCHAR', "user": 'STRUCT(id VARCHAR, "name" VARCHAR)', app: 'VARCHAR',
    data: 'STRUCT("version" VARCHAR, integration VARCHAR, "text" VARCHAR)', merged: 'VARCHAR[]'
})
