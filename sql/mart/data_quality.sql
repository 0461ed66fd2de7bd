/*
description = """What to know before trusting a figure: how many rows each finding touches, out of how many. Unresolved findings
warn; they never stop a run. coverage_*, ack_rate and owned_* count what is there, all others what is wrong or special.
data_quality_status sums it up."""
published = true
not_null = ["dq_check", "n", "total", "status"]
unique = [["dq_check", "source"]]

[columns]
dq_check = "name of the finding"
source = "source it is about"
n = "rows it touches"
total = "rows it could touch"
pct = "100 * n / total; NULL when there are none"
status = "ok (nothing found), info (worth knowing) or warn (a figure may be wrong because of it)"
meaning = "what it says, in a sentence"
examples = "up to five of the words or settings that it is about; NULL for findings that have none"
*/
-- What is counted in one table is counted in one pass over it.
WITH incident_checks AS (
    SELECT source, count(*) AS total, unnest([
            {dq_check: 'coverage_occurred_at', n: count(occurred_at), level: 'share',
                meaning: 'incidents that carry occurred_at; the detection phase needs it'},
            {dq_check: 'coverage_detected_at', n: count(detected_at), level: 'share',
                meaning: 'incidents that carry detected_at; every default calculation needs it'},
            {dq_check: 'coverage_acknowledged_at', n: count(acknowledged_at), level: 'share',
                meaning: 'incidents that carry acknowledged_at; acknowledgment and investigation need it'},
            {dq_check: 'coverage_investigating_at', n: count(investigating_at), level: 'share',
                meaning: 'incidents that carry investigating_at; only calculations that name it need it'},
            {dq_check: 'coverage_root_cause_found_at', n: count(root_cause_found_at), level: 'share',
                meaning: 'incidents that carry root_cause_found_at; the lifecycle phase model needs it'},
            {dq_check: 'coverage_mitigated_at', n: count(mitigated_at), level: 'share',
                meaning: 'incidents that carry mitigated_at; service_restore and the mitigation phase need it'},
            {dq_check: 'coverage_resolved_at', n: count(resolved_at), level: 'share',
                meaning: 'incidents that carry resolved_at; the others are open, or the resolve was lost'},
            {dq_check: 'coverage_closed_at', n: count(closed_at), level: 'share',
                meaning: 'incidents that carry closed_at; full_recovery and the closure phase need it'},
            {dq_check: 'ack_rate', n: count(acknowledged_at), level: 'share',
                meaning: 'incidents that somebody acknowledged; the others have no acknowledgement and are never imputed'},
            {dq_check: 'owned_service', n: count(service), level: 'share', meaning: 'incidents that name a service'},
            {dq_check: 'owned_team', n: count(team), level: 'share', meaning: 'incidents that a team owns'},
            {dq_check: 'owned_both', n: count(*) FILTER (WHERE service IS NOT NULL AND team IS NOT NULL), level: 'share',
                meaning: 'incidents that name a service and that a team owns'},
            {dq_check: 'without_service', n: count(*) FILTER (WHERE service IS NULL), level: 'info',
                meaning: 'incidents that name no service'},
            {dq_check: 'without_team', n: count(*) FILTER (WHERE team IS NULL), level: 'info',
                meaning: 'incidents that nobody owns'},
            {dq_check: 'auto_resolved', n: count(*) FILTER (WHERE auto_resolved), level: 'info',
                meaning: 'incidents that an integration or a timeout resolved'},
            {dq_check: 'noise', n: count(*) FILTER (WHERE auto_resolved AND acknowledged_at IS NULL), level: 'info',
                meaning: 'incidents that went away by themselves before anybody acknowledged them: candidates for a better alert'},
            {dq_check: 'suggested_links', n: count(linked_id), level: 'info',
                meaning: 'incidents that may be recorded twice: another of the same service, within 10 minutes, of a like title; '
                    || 'see the table suggested_links'},
            {dq_check: 'severity_by_default', n: count(*) FILTER (WHERE severity_source = 'default'), level: 'warn',
                meaning: 'incidents without any known severity, counted as SEV3'},
            {dq_check: 'negative_duration', n: count(*) FILTER (WHERE detected_at < occurred_at
                OR least(acknowledged_at, investigating_at) < greatest(occurred_at, detected_at)
                OR root_cause_found_at < greatest(occurred_at, detected_at, acknowledged_at)
                OR mitigated_at < greatest(occurred_at, detected_at, acknowledged_at, root_cause_found_at)
                -- A cause may be found long after the resolve.
                OR resolved_at < greatest(occurred_at, detected_at, acknowledged_at, mitigated_at)
                OR closed_at < greatest(occurred_at, detected_at, acknowledged_at, mitigated_at, resolved_at)), level: 'warn',
                meaning: 'incidents with a stamp before the one it should follow; the pair is excluded, never clamped'}
        ]) AS c
    FROM core.incidents
    LEFT JOIN (
        SELECT incident_id AS linked_id FROM mart.suggested_links
        UNION
        SELECT other_incident_id FROM mart.suggested_links
    ) AS s ON s.linked_id = incident_id
    WHERE duplicate_of IS NULL AND kind = 'incident'
    GROUP BY source
),
kept_checks AS (
    SELECT source, count(*) AS total, unnest([
            {dq_check: 'merged_duplicates', n: count(duplicate_of), level: 'info',
                meaning: 'records that are counted under another one'},
            {dq_check: 'non_incident', n: count(*) FILTER (WHERE kind <> 'incident'), level: 'info',
                meaning: 'false alarms, maintenance and tests: kept, not counted'},
            {dq_check: 'imputed_resolve', n: count(*) FILTER (WHERE resolved_provenance = 'imputed'), level: 'info',
                meaning: 'incidents closed without a resolve, resolved when they were closed'}
        ]) AS c
    FROM core.incidents
    GROUP BY source
),
-- Words that no mapping knows. Most are counted in records, statuses in names: a name occurs in many histories.
word_checks AS (
    SELECT source, kind,
        CASE WHEN kind = 'status' THEN count(DISTINCT normal) ELSE sum(n) END::BIGINT AS total,
        CASE WHEN kind = 'status' THEN count(DISTINCT CASE WHEN is_unmapped THEN normal END)
            ELSE sum(n_unmapped) END::BIGINT AS n
    FROM core.words
    WHERE kind <> 'field'
    GROUP BY source, kind
),
-- One spelling of each, the most frequent words first.
unmapped_words AS (
    SELECT source, kind, max_by(word, (n, word)) AS word, sum(n) AS n
    FROM core.words
    WHERE is_unmapped AND kind <> 'field'
    GROUP BY source, kind, normal
),
-- Lines of mttr.toml that map a word, for accounts that hold any record at all.
setting_checks AS (
    SELECT
        CASE WHEN starts_with(setting, 'vocabulary.') THEN 'configuration' ELSE min(w.source) END AS source, setting,
        bool_or(m.setting IS NOT NULL) AS is_met
    FROM config.words AS w
    LEFT JOIN (SELECT DISTINCT setting FROM core.words) AS m USING (setting)
    WHERE w.setting IS NOT NULL AND w.source IN (
        SELECT a.account FROM config.record_sources AS a JOIN core.records AS r ON r.source = a.source)
    GROUP BY setting
),
examples AS (
    SELECT 'unmapped_' || kind AS dq_check, source, list_slice(list(word ORDER BY n DESC, word), 1, 5) AS examples
    FROM unmapped_words GROUP BY source, kind
    UNION ALL
    SELECT 'setting_matches_nothing', source, list_slice(list(setting ORDER BY setting) FILTER (WHERE NOT is_met), 1, 5)
    FROM setting_checks GROUP BY source
),
event_checks AS (
    SELECT source, count(*) AS total, unnest([
            {dq_check: 'unknown_event_type', n: count(*) FILTER (WHERE event_type = 'other'
                AND NOT is_routine), level: 'info',
                meaning: 'history entries of a type that no mapping knows: they set no stamp'},
            {dq_check: 'future_stamp', n: count(*) FILTER (WHERE set_aside = 'future'), level: 'warn',
                meaning: 'events more than five minutes after the clock of the run, set aside'},
            {dq_check: 'stamp_before_2000', n: count(*) FILTER (WHERE set_aside = 'before 2000'), level: 'warn',
                meaning: 'events before the year 2000 or without an instant, set aside'}
        ]) AS c
    FROM core.events
    GROUP BY source
),
newest AS (
    SELECT *, row_number() OVER (PARTITION BY source ORDER BY started_at DESC, run_id DESC) AS place FROM ops.attempts
),
counted AS (
    SELECT c.dq_check AS dq_check, source, c.n AS n, total, c.level AS level, c.meaning AS meaning FROM incident_checks
    UNION ALL
    SELECT c.dq_check, source, c.n, total, c.level, c.meaning FROM kept_checks
    UNION ALL
    SELECT 'unmapped_severity', r.source, coalesce(max(w.n), 0), count(*), 'warn',
        'records with a severity that no map contains: another field, the urgency or the default decides; map it in [sources.'
            || any_value(a.account) || '.severity]'
    FROM core.records AS r
    JOIN config.record_sources AS a ON a.source = r.source
    LEFT JOIN word_checks AS w ON w.source = r.source AND w.kind = 'severity'
    GROUP BY r.source
    UNION ALL
    SELECT 'unmapped_' || w.kind, w.source, w.n, w.total, 'warn', CASE w.kind
            WHEN 'status' THEN 'status names that no map contains: their category decides, if they have one'
            WHEN 'resolution' THEN 'records with a resolution that no map contains: they count as incidents'
            ELSE 'received records of a type that no map contains: they count only after a pull has read them'
        END || '; map them in [sources.' || a.account || '.' || w.kind || ']'
    FROM word_checks AS w
    JOIN config.record_sources AS a ON a.source = w.source
    WHERE w.kind <> 'severity'
    UNION ALL
    SELECT 'setting_matches_nothing', source, count(*) FILTER (WHERE NOT is_met), count(*), 'warn',
        'lines of mttr.toml that map a word which no record has: misspelt, renamed at the vendor, or covered by another line'
    FROM setting_checks GROUP BY source
    UNION ALL
    SELECT c.dq_check, source, c.n, total, c.level, c.meaning FROM event_checks
    UNION ALL
    SELECT 'duplicates_dropped', source, sum(duplicates)::BIGINT, sum(fetched)::BIGINT, 'info',
        'records that one pull delivered more than once; the newest was kept'
    FROM ops.loads GROUP BY source
    UNION ALL
    SELECT 'vendor_count_difference', l.source, coalesce(max(d.n), 0), sum(l.fetched)::BIGINT, 'warn',
        'records that the vendor counts but its listings did not give, also when read again; pull with --full-refresh'
    FROM ops.loads AS l
    LEFT JOIN (SELECT source, sum(expected - received)::BIGINT AS n FROM ops.differences GROUP BY source) AS d
        ON d.source = l.source
    GROUP BY l.source
    UNION ALL
    SELECT 'last_pull_failed', source, CASE WHEN status = 'failed' THEN 1 ELSE 0 END, 1, 'warn',
        'the newest pull of this source failed: its figures, if any, are those of an earlier one; see source_runs'
    FROM newest WHERE place = 1
    UNION ALL
    SELECT 'unknown_service_in_configuration', 'configuration', count(*) FILTER (WHERE s.service IS NULL), count(*), 'warn',
        'services that have targets or thresholds but that no incident names, perhaps misspelt'
    FROM (
        SELECT service FROM core.targets WHERE service IS NOT NULL
        UNION
        SELECT scope_value FROM core.thresholds WHERE scope = 'service'
    ) AS c
    LEFT JOIN (SELECT DISTINCT service FROM core.incidents) AS s ON s.service = c.service
    HAVING count(*) > 0
    UNION ALL
    SELECT 'phase_target_without_effect', 'configuration', count(*) FILTER (WHERE k.phase IS NULL), count(*), 'warn',
        'targets of phases that the phase model in force does not have'
    FROM config.phase_targets AS t
    CROSS JOIN core.phase_model AS m
    LEFT JOIN config.phases AS k ON k.phase_model = m.phase_model AND k.phase = t.phase
    HAVING count(*) > 0
    UNION ALL
    SELECT 'severity_by_urgency', source, count(*) FILTER (WHERE severity_source = 'urgency'), count(*), 'info',
        'records whose severity is the urgency: no priority or severity field says more'
    FROM core.records GROUP BY source HAVING bool_or(severity_source = 'urgency')
    UNION ALL
    SELECT 'event_without_record', e.source, count(*) FILTER (WHERE set_aside = 'no record' AND d.external_id IS NULL),
        count(*), 'info', 'events of records that were never read: created before the first pull'
    FROM core.events AS e
    LEFT JOIN core.deleted_records AS d ON d.source = e.source AND d.external_id = e.external_id
    GROUP BY e.source
    UNION ALL
    SELECT 'deleted_at_source', source, count(*) FILTER (WHERE is_deleted), count(*), 'info',
        'records that the vendor does not have any more: left out of every figure'
    FROM (
        SELECT source, false AS is_deleted FROM core.records
        UNION ALL
        SELECT source, true FROM core.deleted_records
    ) GROUP BY source
    UNION ALL
    -- What the pulls noticed; of what a plan lacks and of what was left undone only the last one's word.
    SELECT f.fact, f.source, sum(f.n)::BIGINT, max(l.fetched), f.level, f.meaning
    FROM (
        SELECT noted.*,
            CASE WHEN fact = 'audit_answers_not_believed' THEN 'warn' ELSE coalesce(declared.level, 'info') END AS level,
            CASE
                WHEN declared.meaning IS NOT NULL THEN declared.meaning
                WHEN fact = 'deleted_between_list_and_detail'
                    THEN 'records that were listed and gone when they were read'
                WHEN fact = 'audit_answers_not_believed'
                    THEN 'windows of which nothing at all was left at the vendor: not taken for deleted; check the rights of the key'
                WHEN fact = 'audit_windows_postponed'
                    THEN 'windows that the audit had no requests left for; the next run compares them first (audit_requests)'
                WHEN fact LIKE '%_missed_before' THEN 'records that only the audit found; they are in now'
                WHEN fact LIKE '%_not_in_plan' THEN 'not part of the vendor''s plan, so there is none'
                ELSE 'noticed by the pulls'
            END AS meaning
        FROM ops.facts AS noted
        LEFT JOIN config.findings AS declared USING (fact)
        WHERE fact NOT LIKE '%_repeats' AND fact NOT LIKE '%_deleted_at_source'
    ) AS f
    JOIN (SELECT source, sum(fetched)::BIGINT AS fetched, max(extract_id) AS last_extract FROM ops.loads GROUP BY source) AS l
        ON l.source = f.source
    WHERE f.extract_id = l.last_extract OR (fact NOT LIKE '%_not_in_plan' AND fact <> 'audit_windows_postponed')
    GROUP BY f.fact, f.source, f.level, f.meaning
    UNION ALL
    SELECT 'record_without_stamp', r.source, count(*) FILTER (WHERE e.record_id IS NULL AND f.external_id IS NULL), count(*),
        'warn', 'records of which no stamp is usable: they are no incident yet'
    FROM core.records AS r
    LEFT JOIN core.episodes AS e ON e.source = r.source AND e.record_id = r.external_id AND e.episode = 1
    LEFT JOIN core.flaps AS f ON f.source = r.source AND f.external_id = r.external_id
    GROUP BY r.source
    UNION ALL
    SELECT 'duplicate_of_unknown', r.source, count(*) FILTER (WHERE e.record_id IS NULL AND f.external_id IS NULL), count(*),
        'warn', 'duplicates whose target was never read, is deleted or has no stamp; each is counted on its own'
    FROM core.records AS r
    LEFT JOIN core.episodes AS e ON e.source = r.source AND e.record_id = r.duplicate_of_id AND e.episode = 1
    LEFT JOIN core.flaps AS f ON f.source = r.source AND f.external_id = r.duplicate_of_id
    WHERE r.duplicate_of_id IS NOT NULL
    GROUP BY r.source
    UNION ALL
    SELECT 'duplicate_in_circle', r.source,
        count(*) FILTER (WHERE d.external_id IS NULL AND (e.record_id IS NOT NULL OR f.external_id IS NOT NULL)), count(*), 'warn',
        'duplicates that only point at each other; each is counted on its own'
    FROM core.records AS r
    LEFT JOIN core.duplicates AS d ON d.source = r.source AND d.external_id = r.external_id
    LEFT JOIN core.episodes AS e ON e.source = r.source AND e.record_id = r.duplicate_of_id AND e.episode = 1
    LEFT JOIN core.flaps AS f ON f.source = r.source AND f.external_id = r.duplicate_of_id
    WHERE r.duplicate_of_id IS NOT NULL
    GROUP BY r.source
    UNION ALL
    SELECT 'quarantined', l.source, coalesce(max(q.n), 0), sum(l.fetched)::BIGINT, 'warn',
        'records that could not be read; see the table quarantine'
    FROM ops.loads AS l
    LEFT JOIN (SELECT source, count(*) AS n FROM ops.quarantine GROUP BY source) AS q ON q.source = l.source
    GROUP BY l.source
)
SELECT
    c.dq_check,
    c.source,
    c.n,
    c.total,
    100.0 * c.n / nullif(c.total, 0) AS pct,
    CASE WHEN c.level = 'share' THEN 'info' WHEN c.n = 0 THEN 'ok' ELSE c.level END AS status,
    c.meaning,
    e.examples
FROM counted AS c
LEFT JOIN examples AS e ON e.dq_check = c.dq_check AND e.source = c.source
ORDER BY c.dq_check, c.source
