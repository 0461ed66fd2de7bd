/*
description = """The events that incidents are folded from, in order, each with its episode. A reopen later than the configured time (default
24 hours) after the resolve starts a new episode; an earlier reopen undoes the resolve. Stamps given as fields take no part in this.
A record that flapped is here twice: as a part of the incident that it continues, and by itself (its record_id is its own then)."""
like = "core.events"
not_null = ["source", "record_id", "event_id", "rank", "episode"]
unique = [["source", "record_id", "member_id", "event_id"]]

[columns]
source = "="
record_id = "record that the incident is counted under; of a flap by itself, that flap"
member_id = "record that the event comes from; another one than record_id when the incident flapped"
event_id = "="
event_type = "event of the incident model; the detection of a flap is a reopen"
vendor_type = "="
happened_at = "="
rank = "order of events at the same instant. Events are ordered by instant, rank, member_id and event_id"
actor = "="
actor_kind = "="
notes = "="
provenance = "="
severity_from = "="
severity_to = "="
is_copied = "="
episode = "1 for the first, 2 and up after late reopens"
is_reopen = "undoes a resolve or close within its episode"
is_flap = "is a reopen because the same dedup key came back"
is_undone = "a resolve or close that a later reopen of the same episode undid"
ends_stretch = "the resolve or close that ended a period of being open"
is_only_close = "a close in a period without a resolve that a reopen ended: it stands for the resolve"
*/
WITH seen AS (
    SELECT
        e.source, coalesce(f.root_id, e.external_id) AS record_id, e.external_id AS member_id, e.event_id,
        CASE WHEN f.root_id IS NOT NULL AND e.event_type = 'detected' THEN 'reopened' ELSE e.event_type END AS event_type,
        CASE WHEN f.root_id IS NOT NULL AND e.event_type = 'detected' THEN 8 ELSE e.rank END AS rank,
        e.vendor_type, e.happened_at, e.actor, e.actor_kind, e.notes, e.provenance, e.severity_from, e.severity_to, e.is_copied,
        f.root_id IS NOT NULL AND e.event_type = 'detected' AS is_flap
    FROM core.events AS e
    LEFT JOIN core.flaps AS f ON f.source = e.source AND f.external_id = e.external_id
    WHERE e.set_aside IS NULL
    UNION ALL
    SELECT
        e.source, e.external_id, e.external_id, e.event_id, e.event_type, e.rank, e.vendor_type, e.happened_at, e.actor, e.actor_kind,
        e.notes, e.provenance, e.severity_from, e.severity_to, e.is_copied, false
    FROM core.events AS e
    SEMI JOIN core.flaps AS f ON f.source = e.source AND f.external_id = e.external_id
    WHERE e.set_aside IS NULL
),
-- Only the few records that were ever reopened need the state machine; the others pass unchanged.
reopened AS (
    SELECT DISTINCT source, record_id FROM seen WHERE event_type = 'reopened' AND provenance <> 'field'
),
ordered AS (
    -- An event at the same instant as a reopen (a move from a done status to one in progress, an acknowledgement that reopens)
    -- happens after it. So among equal instants resolves, closes and reopens come first, and before them all a reopen that is only
    -- inferred from another event (rank -1).
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
            max(CASE WHEN event_type = 'closed' THEN happened_at END) OVER before_it) AS done_at,
        event_type = 'closed' AND count(CASE WHEN event_type = 'resolved' THEN 1 END) OVER (
            PARTITION BY source, record_id, stretch) = 0 AND count(CASE WHEN event_type = 'reopened' THEN 1 END) OVER (
            PARTITION BY source, record_id, stretch) > 0 AS is_only_close
    FROM stretches
    WINDOW before_it AS (PARTITION BY source, record_id, stretch ORDER BY seq)
),
splits AS (
    SELECT d.source, d.record_id, d.seq, d.is_flap, d.ends_stretch, d.is_only_close, d.event_type, d.reopens,
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
        coalesce(s.ends_stretch, false) AS ends_stretch,
        coalesce(s.is_only_close, false) AS is_only_close
    FROM ordered AS o
    LEFT JOIN splits AS s ON s.source = o.source AND s.record_id = o.record_id AND s.seq = o.seq
),
undone AS (
    SELECT *, max(CASE WHEN is_reopen THEN seq END) OVER (PARTITION BY source, record_id, episode) AS last_reopen
    FROM episodes
)
SELECT
    source, record_id, member_id, event_id, event_type, vendor_type, happened_at, rank, actor, actor_kind, notes, provenance,
    severity_from, severity_to, is_copied, episode, is_reopen, is_reopen AND is_flap AS is_flap,
    event_type IN ('resolved', 'closed') AND provenance <> 'field' AND coalesce(seq < last_reopen, false) AS is_undone,
    ends_stretch, is_only_close
FROM undone
UNION ALL
SELECT
    s.source, s.record_id, s.member_id, s.event_id, s.event_type, s.vendor_type, s.happened_at, s.rank, s.actor, s.actor_kind,
    s.notes, s.provenance, s.severity_from, s.severity_to, s.is_copied, 1, false, false, false, false, false
FROM seen AS s
ANTI JOIN reopened AS r ON r.source = s.source AND r.record_id = s.record_id
