/*
description = "Data quality findings about pulls and loads: what they failed to read, dropped, or reported."
view = true
like = "figures.findings_words"
*/
WITH loads AS (
    SELECT source, sum(fetched)::BIGINT AS fetched, sum(duplicates)::BIGINT AS duplicates, max(extract_id) AS last_extract
    FROM ops.loads
    GROUP BY source
),
newest AS (
    SELECT *,
        -- Not the time of the start: a clock may have run ahead.
        row_number() OVER (PARTITION BY source ORDER BY extract_id DESC, started_at DESC, run_id DESC) AS place,
        max(data_as_of) OVER (PARTITION BY source) AS known_until
    FROM ops.attempts
),
-- What the pulls reported. Of what a plan lacks, what cannot be read, what is named twice, what was postponed and what was not believed,
-- only the last pull counts.
reported AS (
    SELECT f.fact, f.source, f.n, l.fetched,
        CASE WHEN f.fact = 'audit_answers_not_believed' THEN 'warn' ELSE coalesce(d.level, 'info') END AS level,
        CASE
            WHEN d.meaning IS NOT NULL THEN d.meaning
            WHEN f.fact = 'deleted_between_list_and_detail'
                THEN 'records that were in a list and were deleted before their details were read'
            WHEN f.fact = 'audit_answers_not_believed'
                THEN 'windows for which the vendor returned none of the known records; nothing was marked as deleted, '
                    || 'check the permissions of the API key'
            WHEN f.fact = 'pulls_by_a_clock_ahead'
                THEN 'earlier pulls that claim to have read beyond the present: the clock of the machine ran ahead; what they '
                    || 'skipped has been read again'
            WHEN f.fact = 'records_removed_for_their_age'
                THEN 'records received so long ago that `mttr compact` removed them from the landing zone; the tables lack those that '
                    || 'did not change since (keep_days)'
            WHEN f.fact = 'audit_windows_postponed'
                THEN 'windows that the audit had no requests left for; the next run compares them first (audit_requests)'
            WHEN f.fact LIKE '%_missed_before' THEN 'records that only the audit found; they are included now'
            WHEN f.fact LIKE '%_not_in_plan' THEN 'not part of the vendor''s plan, so there is no such data'
            ELSE 'reported by the pulls'
        END AS meaning
    FROM ops.facts AS f
    JOIN loads AS l ON l.source = f.source
    LEFT JOIN config.findings AS d ON d.fact = f.fact
    WHERE f.fact NOT LIKE '%_repeats' AND f.fact NOT LIKE '%_deleted_at_source'
        AND (f.extract_id = l.last_extract OR (NOT coalesce(d.is_of_newest, false) AND f.fact NOT LIKE '%_not_in_plan'
            AND f.fact NOT LIKE '%_not_readable' AND f.fact NOT LIKE '%_named_twice'
            AND f.fact NOT IN ('audit_windows_postponed', 'audit_answers_not_believed')))
)
SELECT
    'duplicates_dropped' AS dq_check, source, duplicates AS n, fetched AS total, 'info' AS level,
    'records that one pull delivered more than once; the newest is kept' AS meaning, NULL::VARCHAR[] AS examples
FROM loads
UNION ALL
SELECT 'vendor_count_difference', l.source, coalesce(d.n, 0), l.fetched, 'warn',
    'records that the vendor counts but did not deliver, even when asked again; pull with --full-refresh', NULL
FROM loads AS l
LEFT JOIN (SELECT source, sum(expected - received)::BIGINT AS n FROM ops.differences GROUP BY source) AS d
    ON d.source = l.source
UNION ALL
SELECT 'quarantined', l.source, coalesce(q.n, 0), l.fetched, 'warn', 'records that could not be read; see the table quarantine', NULL
FROM loads AS l
LEFT JOIN (SELECT source, count(*) AS n FROM ops.quarantine WHERE NOT coalesce(is_refused(reason), false) GROUP BY source) AS q ON q.source = l.source
UNION ALL
-- A report about the past does not need the newest pull when an earlier one goes beyond its clock.
SELECT 'last_pull_failed', n.source,
    CASE WHEN n.status = 'failed' AND NOT coalesce(n.known_until > run.as_of, false) THEN 1 ELSE 0 END, 1, 'warn',
    'the newest pull of this source failed; its figures, if any, come from an earlier pull, see source_runs', NULL
FROM newest AS n
CROSS JOIN config.run AS run
WHERE n.place = 1
UNION ALL
SELECT fact, source, sum(n)::BIGINT, max(fetched), level, meaning, NULL
FROM reported
GROUP BY fact, source, level, meaning
