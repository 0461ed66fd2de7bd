/*
description = """The episodes of issues of error trackers, one row per issue and episode: from when it was first seen, from a regression, or from when
somebody reopened it, until it was resolved. Archived is not resolved. A resolve that was only seen between two runs keeps both ends: not
before resolved_not_before, not after resolved_at. A regression by a version that ran before the one that fixed it is none: those events are
of what is not replaced yet. Where it is unknown which of two versions came first, the vendor's word holds."""
not_null = ["source", "external_id", "episode", "began_at", "began_by", "is_over_unknown"]
unique = [["source", "external_id", "episode"]]

[assert]
known_begin = "began_by IN ('first seen', 'regression', 'reopened')"
ends_after_it_begins = "resolved_at >= began_at OR resolved_at IS NULL"
interval_is_ordered = "resolved_not_before IS NULL OR (resolved_not_before >= began_at AND resolved_not_before <= resolved_at)"
only_over_has_provenance = "(resolved_at IS NULL) = (resolved_provenance IS NULL)"

[columns]
source = "the account"
external_id = "the issue's immutable id"
episode = "1 for the first, in order of time"
began_at = "when it began; of an issue whose first event is not known, the first entry of its history. UTC"
began_by = "first seen, regression or reopened"
began_not_before = "of a reopening that was only seen between two runs, the time of the run before; NULL where the time is known. UTC"
began_release = "version that it began with: the first one of the issue, or that of the regression; NULL when unknown"
introduced_no = "the production deploy of its service that brought out that version first, as in core.deploys; NULL when unknown"
resolved_at = "when it was resolved; NULL while it is not, or when nothing says it. UTC"
resolved_not_before = "of a resolve that was only seen between two runs, the time of the run before or the begin of the episode; NULL where the time is known. UTC"
resolved_provenance = "api or derived; NULL without resolved_at"
resolved_by = "human, integration or timeout; NULL when unknown"
resolved_release = "version that is said to resolve it; NULL where none is named"
is_over_unknown = "whether the vendor says that it is resolved, and nothing says since when"
is_last = "whether it is the last episode of the issue"
*/
WITH told AS (
    SELECT
        h.source, h.external_id, h.event_type,
        possible_instant(h.happened_at, run.as_of) AS happened_at,
        h.not_before, h.provenance, h.actor_kind, short_version(h.release) AS release,
        CASE h.event_type WHEN 'resolved' THEN 1 WHEN 'regression' THEN 2 WHEN 'reopened' THEN 3 ELSE 9 END AS rank
    FROM staging.error_events AS h
    CROSS JOIN config.run AS run
),
-- Numbers are compared faster than names.
begun AS MATERIALIZED (
    SELECT row_number() OVER () AS issue_no, e.source, e.external_id, e.service, e.status, e.first_release, e.resolved_in_release,
        coalesce(e.first_seen_at, h.first_at) AS began_at
    FROM core.errors AS e
    LEFT JOIN (SELECT source, external_id, min(happened_at) AS first_at FROM told GROUP BY ALL) AS h ON h.source = e.source AND h.external_id = e.external_id
    WHERE coalesce(e.first_seen_at, h.first_at) IS NOT NULL
),
history AS (
    SELECT issue_no, 'first seen' AS event_type, began_at AS happened_at, NULL::TIMESTAMP AS not_before, 'api' AS provenance,
        NULL AS actor_kind, first_release AS release, 0 AS rank, service
    FROM begun
    UNION ALL
    SELECT b.issue_no, t.event_type, t.happened_at, t.not_before, t.provenance, t.actor_kind, t.release, t.rank, b.service
    FROM told AS t
    JOIN begun AS b ON b.source = t.source AND b.external_id = t.external_id
    WHERE t.rank < 9 AND t.happened_at >= b.began_at
),
-- The same versions come again and again: what each is compared by is found once.
keys AS (
    SELECT release, release_key(release) AS release_key FROM history GROUP BY release
),
-- Each regression with the version of the resolve before it.
versions AS (
    SELECT h.*, ran.deploy_no, ran.first_ran_at AS ran_at
    FROM history AS h
    LEFT JOIN keys AS k ON k.release = h.release
    LEFT JOIN core.releases AS ran ON ran.service = h.service AND ran.release = k.release_key
),
-- Entries that say the same have one place. It is found once: what follows orders by its number.
placed AS (
    SELECT *,
        row_number() OVER (PARTITION BY issue_no ORDER BY happened_at, rank, release NULLS FIRST, not_before NULLS FIRST) AS place,
        last_value(CASE WHEN event_type = 'resolved' THEN {ran_at: ran_at} END IGNORE NULLS) OVER (
            PARTITION BY issue_no ORDER BY happened_at, rank, release NULLS FIRST, not_before NULLS FIRST
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS fix
    FROM versions
),
counted AS (
    SELECT *, event_type <> 'resolved' AS opens
    FROM placed
    WHERE event_type <> 'regression' OR NOT coalesce(ran_at < fix.ran_at, false)
),
turns AS (
    SELECT *, lag(opens) OVER (PARTITION BY issue_no ORDER BY place) AS was_open FROM counted
),
numbered AS (
    SELECT *,
        sum(opens::INTEGER) OVER (PARTITION BY issue_no ORDER BY place)::INTEGER AS episode,
        sum(opens::INTEGER) OVER (PARTITION BY issue_no ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS episodes
    FROM turns
    WHERE opens IS DISTINCT FROM was_open
),
folded AS (
    SELECT
        issue_no, episode, any_value(episodes) = episode AS is_last,
        any_value(happened_at) FILTER (opens) AS began_at,
        any_value(event_type) FILTER (opens) AS began_by,
        any_value(not_before) FILTER (opens) AS began_not_before,
        any_value(release) FILTER (opens) AS began_release,
        any_value(deploy_no) FILTER (opens) AS introduced_no,
        any_value(happened_at) FILTER (NOT opens) AS resolved_at,
        any_value(not_before) FILTER (NOT opens) AS resolved_not_before,
        any_value(provenance) FILTER (NOT opens) AS resolved_provenance,
        any_value(actor_kind) FILTER (NOT opens) AS resolved_by,
        any_value(release) FILTER (NOT opens) AS resolved_release
    FROM numbered
    GROUP BY issue_no, episode
)
SELECT
    e.source, e.external_id, f.episode, f.began_at, f.began_by, CASE WHEN f.began_not_before <= f.began_at THEN f.began_not_before END AS began_not_before, f.began_release, f.introduced_no,
    f.resolved_at,
    CASE WHEN f.resolved_not_before IS NOT NULL THEN least(greatest(f.resolved_not_before, f.began_at), f.resolved_at) END AS resolved_not_before,
    CASE WHEN f.resolved_not_before IS NOT NULL THEN 'derived' ELSE f.resolved_provenance END AS resolved_provenance,
    f.resolved_by,
    CASE WHEN f.is_last AND e.status = 'resolved' THEN coalesce(f.resolved_release, e.resolved_in_release) ELSE f.resolved_release END AS resolved_release,
    f.is_last AND f.resolved_at IS NULL AND coalesce(e.status = 'resolved', false) AS is_over_unknown,
    f.is_last
FROM folded AS f
JOIN begun AS e ON e.issue_no = f.issue_no
