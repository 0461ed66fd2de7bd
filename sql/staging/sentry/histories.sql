/*
description = """Entries of the histories of issues, each once, whatever ids the server gave it. The history of an issue that was merged into
another one shows up in that one's: it is left out there. What each says about the state of the issue is told here."""

[columns]
external_id = "id of the issue"
vendor_type = "what it says"
happened_at = "when. UTC"
happened_second = "when, to the second. UTC"
person = "id of the person; empty without one"
actor = "name of the person, else of the app or integration"
actor_kind = "human, integration or timeout"
release = "version that it names; NULL without one"
notes = "text of a comment"
state = "open, over or archived: what the issue is from then on; NULL where it says nothing about that"
is_acknowledged = "whether a person took the issue"
landed_in = "landing file"
*/
WITH each AS (
    SELECT
        external_id, vendor_type, happened_second, person,
        min(happened_at) AS happened_at,
        arg_max(actor, read_at) AS actor,
        bool_or(is_app) AS is_app,
        arg_max(integration, read_at) AS integration,
        -- In some stores a release that was empty is filled later, in others not.
        arg_max(nullif(release, ''), read_at) AS release,
        arg_max(notes, read_at) AS notes,
        list_distinct(flatten(list(merged))) AS merged,
        arg_max(landed_in, read_at) AS landed_in
    FROM raw.${source}_issue_activities
    GROUP BY external_id, vendor_type, happened_second, person
),
merges AS (
    SELECT external_id, unnest(merged) AS child, happened_second AS merged_second FROM each WHERE vendor_type = 'merge'
),
others AS (
    SELECT m.external_id, c.vendor_type, c.happened_second, c.person
    FROM merges AS m
    JOIN each AS c ON c.external_id = m.child AND c.happened_second <= m.merged_second
    WHERE m.child <> m.external_id
)
SELECT
    e.external_id, e.vendor_type, e.happened_at, e.happened_second, e.person,
    coalesce(e.actor, e.integration) AS actor,
    CASE
        WHEN e.vendor_type = 'set_resolved_by_age' THEN 'timeout'
        -- Rules and guesses of the server assign in the name of nobody; a person does it in a chat.
        WHEN e.integration IN ('codeowners', 'projectownership', 'suspectcommitter') THEN 'integration'
        WHEN e.vendor_type = 'assigned' AND e.integration IS NOT NULL THEN 'human'
        WHEN e.is_app OR e.person = '' THEN 'integration'
        ELSE 'human'
    END AS actor_kind,
    e.release,
    e.notes,
    CASE e.vendor_type
        WHEN 'set_resolved' THEN 'over'
        WHEN 'set_resolved_by_age' THEN 'over'
        WHEN 'set_resolved_in_release' THEN 'over'
        WHEN 'set_regression' THEN 'open'
        WHEN 'set_unresolved' THEN 'open'
        WHEN 'set_escalating' THEN 'open'
        WHEN 'set_ignored' THEN 'archived'
    END AS state,
    e.vendor_type IN ('assigned', 'mark_reviewed') AND actor_kind = 'human' AS is_acknowledged,
    e.landed_in
FROM each AS e
ANTI JOIN others AS o
    ON o.external_id = e.external_id AND o.vendor_type = e.vendor_type AND o.happened_second = e.happened_second AND o.person = e.person
WHERE e.vendor_type <> 'first_seen'
