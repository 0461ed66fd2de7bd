/*
description = """The events that the fold sees, in fold order, each with the episode it belongs to. A reopen later than the
configured time (default 24 hours) after the resolve starts a new episode; an earlier one takes the resolve back. Stamps
given as fields are no part of that state machine."""
not_null = ["source", "record_id", "event_id", "rank", "episode"]
unique = [["source", "record_id", "member_id", "event_id"]]

[columns]
source = "source"
record_id = "record the incident is counted under"
member_id = "record the event came from; another one when the incident flapped"
event_id = "id of the event"
event_type = "event of the incident model; the detection of a record that flapped is a reopen"
vendor_type = "the vendor's word for it"
happened_at = "UTC"
rank = "order among events of one instant; fold order is (instant, rank, member, id)"
actor = "who did it"
actor_kind = "human, integration or timeout"
notes = "text of a note"
provenance = "api, changelog, field or derived"
severity_from = "severity before a change"
severity_to = "severity after a change"
episode = "1 for the first, 2 and up after late reopens"
is_reopen = "takes a resolve back within its episode"
is_flap = "is a reopen because the same dedup key came back"
is_undone = "a resolve or close that a later reopen of the same episode took back"
ends_stretch = "the resolve or close that ended a stretch of being open"
*/
WITH seen AS (
    SELECT
        e.source, coalesce(f.root_id, e.external_id) AS record_id, e.external_id AS member_id, e.event_id,
        CASE WHEN f.root_id IS NOT NULL AND e.event_type = 'detected' THEN 'reopened' ELSE e.event_type END AS event_type,
        CASE WHEN f.root_id IS NOT NULL AND e.event_type = 'detected' THEN 8 ELSE e.rank END AS rank,
        e.vendor_type, e.happened_at, e.actor, e.actor_kind, e.notes, e.provenance, e.severity_from, e.severity_to,
        f.root_id IS NOT NULL AND e.event_type = 'detected' AS is_flap
    FROM core.events AS e
    LEFT JOIN core.flaps AS f ON f.source = e.source AND f.external_id = e.external_id
    WHERE e.set_aside IS NULL
),
-- The state machine is needed only for the few records that were ever reopened; the others pass as they are.
reopened AS (
    SELECT DISTINCT source, record_id FROM seen WHERE event_type = 'reopened' AND provenance <> 'field'
),
ordered AS (
    -- What happens at the very instant of a reopen (Jira: Done -> In Progress, PagerDuty: a reopen by acknowledging) belongs to
    -- the time after it: among equal instants the switches of the state machine come first, and a reopen that is only inferred
    -- from what was done then (rank -1) before all.
    SELECT s.*, row_number() OVER (
        PARTITION BY s.source, s.record_id
        ORDER BY s.happened_at, s.rank NOT IN (-1, 6, 7, 8), s.rank, s.member_id, s.event_id) AS seq
    FROM seen AS s
    JOIN reopened AS r ON r.source = s.source AND r.record_id = s.record_id
),
switches AS (
    SELECT o.source, o.record_id, o.seq, o.event_type, o.happened_at, o.is_flap,
        lag(o.event_type) OVER (PARTITION BY o.source, o.record_id ORDER BY o.seq) AS before
    FROM ordered AS o
    WHERE o.provenance <> 'field' AND o.event_type IN ('resolved', 'closed', 'reopened')
),
stretches AS (
    SELECT *,
        event_type = 'reopened' AND before IN ('resolved', 'closed') AS reopens,
        event_type <> 'reopened' AND coalesce(before, 'reopened') = 'reopened' AS ends_stretch,
        coalesce(sum(CASE WHEN event_type = 'reopened' THEN 1 ELSE 0 END) OVER (
            PARTITION BY source, record_id ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS stretch
    FROM switches
),
done AS (
    SELECT *,
        coalesce(
            max(CASE WHEN event_type = 'resolved' THEN happened_at END) OVER before_it,
            max(CASE WHEN event_type = 'closed' THEN happened_at END) OVER before_it) AS done_at
    FROM stretches
    WINDOW before_it AS (PARTITION BY source, record_id, stretch ORDER BY seq)
),
splits AS (
    SELECT d.source, d.record_id, d.seq, d.is_flap, d.ends_stretch, d.event_type, d.reopens,
        d.reopens AND NOT d.is_flap AND epoch_us(d.happened_at) - epoch_us(d.done_at) > run.reopen_us AS splits
    FROM done AS d
    CROSS JOIN config.run AS run
),
episodes AS (
    SELECT
        o.*,
        1 + sum(CASE WHEN s.splits THEN 1 ELSE 0 END) OVER (
            PARTITION BY o.source, o.record_id ORDER BY o.seq)::INTEGER AS episode,
        coalesce(s.reopens AND NOT s.splits, false) AS is_reopen,
        coalesce(s.ends_stretch, false) AS ends_stretch
    FROM ordered AS o
    LEFT JOIN splits AS s ON s.source = o.source AND s.record_id = o.record_id AND s.seq = o.seq
),
undone AS (
    SELECT *, max(CASE WHEN is_reopen THEN seq END) OVER (PARTITION BY source, record_id, episode) AS last_reopen
    FROM episodes
)
SELECT
    source, record_id, member_id, event_id, event_type, vendor_type, happened_at, rank, actor, actor_kind, notes, provenance,
    severity_from, severity_to, episode, is_reopen, is_reopen AND is_flap AS is_flap,
    event_type IN ('resolved', 'closed') AND provenance <> 'field' AND coalesce(seq < last_reopen, false) AS is_undone,
    ends_stretch
FROM undone
UNION ALL
SELECT
    s.source, s.record_id, s.member_id, s.event_id, s.event_type, s.vendor_type, s.happened_at, s.rank, s.actor, s.actor_kind,
    s.notes, s.provenance, s.severity_from, s.severity_to, 1, false, false, false, false
FROM seen AS s
ANTI JOIN reopened AS r ON r.source = s.source AND r.record_id = s.record_id
