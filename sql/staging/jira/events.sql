/*
description = """History of Jira issues in the common shape. Entering a done status is resolved (closed, where it is mapped so);
going from one done status to another is at most the close; leaving done is reopened, besides what the new status means. An
issue is acknowledged when it enters a status mapped so, is first worked on or first gets an assignee from a person, and
again after a reopen that is late enough for a new episode. Where the history does not lead to the current status (a
workflow was migrated), the issue's own instants fill in. A move to a done status out of one that nothing says the meaning of is no
resolve where resolutiondate says that the issue was over by then."""
like = "staging.events"
yields = "events"
not_null = ["source", "external_id", "event_id", "event_type"]
unique = [["source", "external_id", "event_id"]]

[columns]
source = "the account"
external_id = "numeric id of the issue"
event_id = "id of the change and what it stands for, or the issue's id and the field"
event_type = "event of the incident model; `still_done` (from one done status to another), `contradicted` (a resolve that resolutiondate says came earlier) and `other` (nothing says what the status means) set no stamp"
vendor_type = "the status entered, or the field"
happened_at = "="
actor = "="
actor_kind = "human or integration"
provenance = "api, changelog, field or derived"
severity_from = "severity before a change of priority or severity"
severity_to = "="
is_copied = "whether an integration changed the issue"
landed_in = "="
*/
WITH steps AS (
    SELECT
        c.*,
        new.event_type AS new_type, coalesce(old.is_done, false) AS was_done, coalesce(new.is_done, false) AS is_done,
        coalesce(old.event_type, 'other') = 'other' AS was_unknown,
        coalesce(new.is_started, false) AS is_started
    FROM staging.${source}_changes AS c
    LEFT JOIN staging.${source}_statuses AS old
        ON old.project_key = coalesce(c.project_key, '') AND old.status_id = coalesce(c.from_id, '')
        AND old.name = coalesce(c.from_name, '')
    LEFT JOIN staging.${source}_statuses AS new
        ON new.project_key = coalesce(c.project_key, '') AND new.status_id = coalesce(c.to_id, '')
        AND new.name = coalesce(c.to_name, '')
    WHERE c.field = 'status'
),
moves AS (
    SELECT
        s.*,
        max(CASE WHEN s.new_type = 'closed' THEN s.seq END) OVER before AS last_close,
        max(CASE WHEN NOT s.is_done THEN s.seq END) OVER before AS last_open,
        s.was_done AND NOT s.is_done AND epoch_us(s.happened_at) - run.reopen_us > epoch_us(
            max(CASE WHEN s.is_done AND NOT s.was_done THEN s.happened_at END) OVER before) AS is_late_reopen,
        -- The vendor writes resolutiondate as it enters the status, give or take some seconds.
        coalesce(
            s.is_done AND s.was_unknown AND i.resolution_at < s.happened_at - INTERVAL 60 SECOND
            AND i.resolution_at >= coalesce(lag(s.happened_at) OVER before_it - INTERVAL 60 SECOND, i.created_at), false
        ) AS is_contradicted, i.resolution_at,
        -- Who entered that status then, where that is what resolved the issue.
        CASE WHEN within_a_minute(lag(s.happened_at) OVER before_it, i.resolution_at)
            THEN {actor: lag(s.actor) OVER before_it, kind: lag(s.actor_kind) OVER before_it} END AS resolver
    FROM steps AS s
    JOIN staging.${source}_issues AS i ON i.external_id = s.external_id
    CROSS JOIN config.run AS run
    WINDOW before AS (PARTITION BY s.external_id ORDER BY s.seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        before_it AS (PARTITION BY s.external_id ORDER BY s.seq)
),
-- Among done statuses only the first close of that time counts; the issue was over before.
entered AS (
    SELECT
        external_id, change_id || '/status' AS event_id,
        CASE
            WHEN is_contradicted THEN 'contradicted'
            WHEN was_done AND is_done AND (new_type <> 'closed' OR last_close > coalesce(last_open, 0)) THEN 'still_done'
            ELSE new_type
        END AS event_type,
        to_name AS vendor_type, happened_at, actor, actor_kind, 'changelog' AS provenance, landed_in
    FROM moves
),
dated AS (
    SELECT
        external_id, external_id || '/resolutiondate' AS event_id, 'resolved' AS event_type, 'resolutiondate' AS vendor_type,
        resolution_at AS happened_at, resolver.actor AS actor, resolver.kind AS actor_kind, 'api' AS provenance, landed_in
    FROM moves
    WHERE is_contradicted
),
reopened AS (
    SELECT
        external_id, change_id || '/reopened' AS event_id, 'reopened' AS event_type, to_name AS vendor_type, happened_at, actor,
        actor_kind, 'changelog' AS provenance, landed_in
    FROM moves
    WHERE was_done AND NOT is_done AND new_type <> 'reopened'
),
-- Everything that counts as taking the issue, and in which episode.
takes AS (
    SELECT
        *,
        sum(CASE WHEN begins THEN 1 ELSE 0 END) OVER (
            PARTITION BY external_id ORDER BY seq ROWS UNBOUNDED PRECEDING) AS episode
    FROM (
        SELECT
            external_id, change_id, seq, happened_at, actor, actor_kind, landed_in, to_name AS vendor_type,
            new_type = 'acknowledged' AS is_mapped, new_type = 'acknowledged' OR is_started AS is_take,
            is_late_reopen AS begins
        FROM moves
        UNION ALL
        SELECT
            external_id, change_id, seq, happened_at, actor, actor_kind, landed_in, 'assignee', false,
            to_id IS NOT NULL AND actor_kind = 'human', false
        FROM staging.${source}_changes
        WHERE field = 'assignee'
    )
),
acknowledged AS (
    SELECT
        external_id, change_id || '/acknowledged' AS event_id, 'acknowledged' AS event_type, vendor_type, happened_at, actor,
        actor_kind, 'changelog' AS provenance, landed_in
    FROM (
        SELECT
            *, row_number() OVER (PARTITION BY external_id, episode ORDER BY happened_at, is_mapped DESC, seq) AS place
        FROM takes
        WHERE is_take
    )
    WHERE place = 1 AND NOT is_mapped
),
-- Given to somebody, by whomever.
assigned AS (
    SELECT
        external_id, change_id || '/assigned' AS event_id, 'assigned' AS event_type, 'assignee' AS vendor_type, happened_at, actor, actor_kind,
        'changelog' AS provenance, landed_in
    FROM staging.${source}_changes
    WHERE field = 'assignee' AND to_id IS NOT NULL
),
changed AS (
    SELECT
        c.external_id, c.change_id || '/severity' AS event_id, 'severity_changed' AS event_type, c.field AS vendor_type,
        c.happened_at, c.actor, c.actor_kind, 'changelog' AS provenance, old.severity AS severity_from,
        new.severity AS severity_to, c.landed_in
    FROM staging.${source}_severity_changes AS c
    LEFT JOIN config.severities AS old ON old.source = '${source}' AND old.word = normalized(c.from_name)
    LEFT JOIN config.severities AS new ON new.source = '${source}' AND new.word = normalized(c.to_name)
),
stamped AS (
    SELECT
        external_id, external_id || '/created' AS event_id, 'detected' AS event_type, 'created' AS vendor_type,
        created_at AS happened_at, 'api' AS provenance, landed_in
    FROM staging.${source}_issues
    UNION ALL
    SELECT
        external_id, external_id || '/field/' || target, replace(target, '_at', ''), field_id, happened_at, 'field', landed_in
    FROM staging.${source}_fields
    WHERE happened_at IS NOT NULL OR problem IS NOT NULL
),
last_move AS (
    SELECT external_id, max(happened_at) AS happened_at, arg_max(is_done, seq) AS is_done
    FROM moves
    WHERE happened_at IS NOT NULL
    GROUP BY external_id
),
settled AS (
    SELECT
        i.external_id, i.external_id || CASE WHEN s.is_done THEN '/resolved' ELSE '/reopened' END AS event_id,
        CASE WHEN s.is_done THEN 'resolved' ELSE 'reopened' END AS event_type, i.status AS vendor_type,
        CASE WHEN s.is_done THEN coalesce(i.resolution_at, i.status_category_changed_at) ELSE i.status_category_changed_at END
            AS happened_at,
        'api' AS provenance, i.landed_in
    FROM staging.${source}_issues AS i
    JOIN staging.${source}_statuses AS s
        ON s.project_key = coalesce(i.project_key, '') AND s.status_id = coalesce(i.status_id, '')
        AND s.name = coalesce(i.status, '')
    LEFT JOIN last_move AS m ON m.external_id = i.external_id
    WHERE s.is_done <> coalesce(m.is_done, false)
        AND coalesce(
            CASE WHEN s.is_done THEN coalesce(i.resolution_at, i.status_category_changed_at) ELSE i.status_category_changed_at END
                > m.happened_at, s.is_done)
),
everything AS (
    SELECT * FROM entered
    UNION ALL BY NAME SELECT * FROM dated
    UNION ALL BY NAME SELECT * FROM reopened
    UNION ALL BY NAME SELECT * FROM acknowledged
    UNION ALL BY NAME SELECT * FROM assigned
    UNION ALL BY NAME SELECT * FROM changed
    UNION ALL BY NAME SELECT * FROM stamped
    UNION ALL BY NAME SELECT * FROM settled WHERE happened_at IS NOT NULL
)
SELECT
    '${source}' AS source, external_id, event_id, event_type, vendor_type, happened_at, actor, actor_kind,
    provenance, severity_from, severity_to, coalesce(actor_kind = 'integration', false) AS is_copied, landed_in
FROM everything
