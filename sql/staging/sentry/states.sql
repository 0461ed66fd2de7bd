/*
description = """The states in which issues were seen, one after the other, and which of the changes between them no entry of a history explains. A
resolve by a release, or by age on some servers, leaves no entry, and servers without histories leave none at all. An entry explains a change to
what it says when it is the latest one before the state was seen, and not older than the sight of the state before."""
unique = [["external_id", "read_at"]]

[columns]
external_id = "id of the issue"
read_at = "when it was seen so. UTC"
state = "open, over or archived"
state_before = "what it was seen as before; open where it was not seen before"
not_before = "when the state before was seen last; where it was not, the first event of the issue. UTC"
opened_at = "when it was opened last before that, as far as its history tells, else its first event. UTC"
resolved_in_release = "version that is said to resolve it"
is_auto_resolved = "whether its age resolved it"
is_unexplained = "whether no entry explains the change to this state; NULL where there is none"
landed_in = "landing file"
*/
WITH firsts AS (
    SELECT external_id, least(min(first_seen_at), min(shown_first_seen_at)) AS first_seen_at FROM raw.${source}_issues GROUP BY external_id
),
known AS (
    SELECT
        i.external_id, i.read_at, i.before_at, i.resolved_in_release, i.is_auto_resolved, i.landed_in, f.first_seen_at,
        CASE coalesce(
                CASE WHEN i.status IN ('resolved', 'unresolved', 'ignored', 'archived', 'muted') THEN i.status END,
                s.event_type)
            WHEN 'resolved' THEN 'over' WHEN 'closed' THEN 'over'
            WHEN 'ignored' THEN 'archived' WHEN 'archived' THEN 'archived' WHEN 'muted' THEN 'archived' WHEN 'paused' THEN 'archived'
            WHEN 'unresolved' THEN 'open' WHEN 'reopened' THEN 'open' WHEN 'detected' THEN 'open'
        END AS state
    FROM raw.${source}_issues AS i
    JOIN firsts AS f ON f.external_id = i.external_id
    LEFT JOIN config.statuses AS s ON s.source = '${source}' AND s.scope = '' AND NOT s.is_prefix AND s.word = normalized(i.status)
),
ordered AS (
    SELECT
        *,
        coalesce(lag(state) OVER (PARTITION BY external_id ORDER BY read_at), 'open') AS state_before,
        lag(read_at) OVER (PARTITION BY external_id ORDER BY read_at) AS seen_before
    FROM known
    WHERE state IS NOT NULL
),
changed AS (
    SELECT * FROM ordered WHERE state <> state_before
),
said AS (
    SELECT external_id, happened_at, state, row_number() OVER (PARTITION BY external_id ORDER BY happened_at, vendor_type) AS place
    FROM staging.${source}_histories
    WHERE state IS NOT NULL
),
-- Clocks of servers differ a little.
latest AS (
    SELECT
        c.external_id, c.read_at,
        max(h.place) FILTER (WHERE h.happened_at <= c.read_at + INTERVAL 5 MINUTE) AS before_place,
        min(h.place) FILTER (WHERE h.happened_at > c.read_at + INTERVAL 5 MINUTE) AS after_place,
        max(h.happened_at) FILTER (WHERE h.state = 'open' AND h.happened_at <= c.read_at + INTERVAL 5 MINUTE) AS opened_at
    FROM changed AS c
    LEFT JOIN said AS h ON h.external_id = c.external_id
    GROUP BY c.external_id, c.read_at
),
explained AS (
    SELECT
        c.external_id, c.read_at, l.opened_at,
        coalesce(b.state = c.state AND coalesce(b.happened_at >= c.seen_before - INTERVAL 5 MINUTE, true), false)
            -- A server may show that its age resolved an issue before it writes that down.
            OR coalesce(c.is_auto_resolved AND a.state = 'over', false) AS is_explained
    FROM changed AS c
    JOIN latest AS l ON l.external_id = c.external_id AND l.read_at = c.read_at
    LEFT JOIN said AS b ON b.external_id = l.external_id AND b.place = l.before_place
    LEFT JOIN said AS a ON a.external_id = l.external_id AND a.place = l.after_place
)
SELECT
    o.external_id, o.read_at, o.state, o.state_before,
    least(o.read_at, coalesce(greatest(o.seen_before, o.before_at, e.opened_at), o.first_seen_at)) AS not_before,
    coalesce(e.opened_at, o.first_seen_at) AS opened_at,
    o.resolved_in_release, o.is_auto_resolved, NOT e.is_explained AS is_unexplained, o.landed_in
FROM ordered AS o
LEFT JOIN explained AS e ON e.external_id = o.external_id AND e.read_at = o.read_at
