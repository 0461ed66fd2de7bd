/*
description = """What happened to issues of Sentry and servers with its API. A pull request or a commit that names an issue resolves nothing. "Resolved
in a release" is a claim: it comes true when that release is live, and is a note until then. A change that no entry explains is told by the release
that made it, else by the times of two runs."""
like = "staging.error_events"
yields = "error_events"
not_null = ["source", "external_id", "event_id", "event_type", "happened_at", "provenance"]
unique = [["external_id", "event_id"]]

[columns]
source = "="
external_id = "="
event_id = "="
event_type = "="
happened_at = "="
not_before = "="
provenance = "="
actor = "="
actor_kind = "="
release = "="
notes = "="
landed_in = "="

[assert]
intervals_are_ordered = "not_before IS NULL OR not_before <= happened_at"
*/
WITH issues AS (
    SELECT external_id, least(min(first_seen_at), min(shown_first_seen_at)) AS first_seen_at
    FROM raw.${source}_issues
    GROUP BY external_id
),
entries AS (
    SELECT
        h.*, i.first_seen_at,
        max(CASE WHEN h.state = 'open' THEN h.happened_at END) OVER (
            PARTITION BY h.external_id ORDER BY h.happened_at, h.vendor_type, h.person
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS opened_before,
        min(CASE WHEN h.state = 'open' THEN h.happened_at END) OVER (
            PARTITION BY h.external_id ORDER BY h.happened_at, h.vendor_type, h.person
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS opened_after
    FROM staging.${source}_histories AS h
    JOIN issues AS i ON i.external_id = h.external_id
),
-- The release that a claim without one came to mean: that of the first state which says it, before the issue was opened again.
filled AS (
    SELECT e.external_id, e.happened_second, e.person, arg_min({release: s.resolved_in_release, read_at: s.read_at}, s.read_at) AS fill
    FROM entries AS e
    JOIN staging.${source}_states AS s
        ON s.external_id = e.external_id AND s.state = 'over' AND s.resolved_in_release IS NOT NULL
        AND s.read_at >= e.happened_second AND coalesce(s.read_at < e.opened_after, true)
    WHERE e.vendor_type = 'set_resolved_in_release'
    GROUP BY e.external_id, e.happened_second, e.person
),
claims AS (
    SELECT
        e.external_id, e.vendor_type, e.happened_second, e.person,
        coalesce(e.release, f.fill.release) AS release,
        v.live_at,
        -- Live before the issue was opened: then it is the claim that says that it is over.
        greatest(v.live_at, CASE WHEN v.live_at < coalesce(e.opened_before, e.first_seen_at) THEN e.happened_at END) AS came_true_at,
        coalesce(came_true_at < coalesce(e.opened_after, 'infinity'::TIMESTAMP), false) AS is_true
    FROM entries AS e
    LEFT JOIN filled AS f ON f.external_id = e.external_id AND f.happened_second = e.happened_second AND f.person = e.person
    LEFT JOIN staging.${source}_versions AS v ON v.release = coalesce(e.release, f.fill.release)
    WHERE e.vendor_type = 'set_resolved_in_release'
),
told AS (
    SELECT
        e.external_id,
        content_id(['${source}', e.external_id, e.vendor_type, strftime(e.happened_second, '%Y-%m-%dT%H:%M:%S'), e.person]) AS event_id,
        CASE
            WHEN e.vendor_type = 'set_resolved_in_release'
                THEN CASE WHEN c.is_true THEN 'resolved' ELSE 'note' END
            WHEN e.state = 'over' THEN 'resolved'
            WHEN e.vendor_type = 'set_regression' THEN 'regression'
            WHEN e.vendor_type = 'set_escalating' THEN 'escalated'
            WHEN e.state = 'open' THEN 'reopened'
            WHEN e.state = 'archived' THEN 'archived'
            WHEN e.is_acknowledged THEN 'acknowledged'
            ELSE 'note'
        END AS event_type,
        CASE WHEN c.is_true THEN c.came_true_at ELSE e.happened_at END AS happened_at,
        CASE WHEN c.is_true AND c.came_true_at <> e.happened_at THEN 'derived' ELSE 'api' END AS provenance,
        e.actor,
        e.actor_kind,
        coalesce(c.release, e.release) AS release,
        CASE WHEN e.state IS NULL OR e.vendor_type = 'set_resolved_in_release'
            THEN coalesce(e.notes, replace(e.vendor_type, '_', ' ')) END AS notes,
        e.landed_in
    FROM entries AS e
    LEFT JOIN claims AS c ON c.external_id = e.external_id AND c.vendor_type = e.vendor_type
        AND c.happened_second = e.happened_second AND c.person = e.person
),
seen AS (
    SELECT
        s.external_id,
        content_id(['${source}', s.external_id, 'seen ' || s.state, strftime(s.read_at, '%Y-%m-%dT%H:%M:%S'), '']) AS event_id,
        CASE s.state WHEN 'over' THEN 'resolved' WHEN 'archived' THEN 'archived' ELSE 'reopened' END AS event_type,
        v.live_at IS NOT NULL AND s.state = 'over' AND v.live_at >= s.opened_at AND v.live_at <= s.read_at AS is_by_release,
        CASE WHEN is_by_release THEN v.live_at ELSE s.read_at END AS happened_at,
        CASE WHEN NOT coalesce(is_by_release, false) THEN s.not_before END AS not_before,
        CASE WHEN s.state = 'over' AND s.is_auto_resolved THEN 'timeout' END AS actor_kind,
        CASE WHEN s.state = 'over' THEN s.resolved_in_release END AS release,
        s.landed_in
    FROM staging.${source}_states AS s
    LEFT JOIN staging.${source}_versions AS v ON v.release = s.resolved_in_release
    WHERE s.is_unexplained
),
whole AS (
    SELECT external_id, event_id, event_type, happened_at, NULL::TIMESTAMP AS not_before, provenance, actor, actor_kind, release, notes, landed_in
    FROM told
    UNION ALL
    SELECT external_id, event_id, event_type, happened_at, not_before, 'derived', NULL, actor_kind, release, NULL, landed_in
    FROM seen
)
SELECT
    '${source}' AS source, w.external_id, w.event_id, w.event_type, w.happened_at, w.not_before, w.provenance, w.actor, w.actor_kind,
    coalesce(v.version, w.release) AS release, w.notes, w.landed_in
FROM whole AS w
LEFT JOIN staging.${source}_versions AS v ON v.release = w.release
ANTI JOIN staging.${source}_deletions AS d ON d.external_id = w.external_id
