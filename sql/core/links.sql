/*
description = """Every link between two records that was read, and why it is not followed where it is not. A naming (staging.links) is resolved to
the record it names, and holds for the pair of their episodes whose lifetimes are nearest, the earliest of several. These links are not
followed, the first reason that applies is given:
correlation is off, or the reason is not among those of [correlation]; the record named is not here, is deleted, or is the same record;
the name fits records of several accounts; a person refused the pair; both are of one source (url, key, text, dedup); the text names several records of that tool; more than 3 records
name this one, or the record names more than 3 and not all of them within 24 hours (url, key, text: templates, parents, lists); one of the two is a channel that goes with two records
of one tool that are more than 24 hours apart (url, key, text: a standing channel); one of the
two is no incident, such as a false alarm, which keeps its own row; one has no usable stamp; their lifetimes are more than 24 hours apart
(url, key, text). A deduplication key is a link only between a page and another record that has the same key while it lasts: an alert's
group joins alerts to a page, never to each other, and long-lived keys come again. A vendor's own link and a decision have no guard in time: without a near episode they hold for
the first. Keys of projects that no record here is of, such as UTF-8, are no names, nor are words in texts with the shape of a short id,
such as CHECKOUT-1A2, that no record and no issue here has as its key.
Issues of error trackers that are no records name and are named by the same rules (is_of_error). What is between records does not depend on
them: their names, texts and lists are counted without issues."""
not_null = ["source", "external_id", "place", "link_reason", "target", "is_of_error"]

[columns]
source = "source of the record that names another"
external_id = "the vendor's immutable id of it"
record_id = "its episode that the link holds for; NULL where it cannot hold"
place = "where the link stands, such as description, remote_link or alert_key; links.csv for a decision"
link_reason = "vendor, url, key, text, dedup or chosen"
target = "what it names: an id, an address, a key or a dedup key"
other_source = "source of the record that is named; NULL where no record here is"
other_external_id = "the vendor's immutable id of it"
other_record_id = "its episode that the link holds for; NULL where it cannot hold"
is_responder = "whether one of the two is an alert that pages people for the other"
named_by = "how many records name the one that is named, in addresses, keys and texts"
apart_us = "microseconds between the two lifetimes; 0 where they overlap"
is_doubt = "whether it is not followed only because it may stand in a list or a template: a person may know better"
is_of_error = "whether one of the two is an issue of an error tracker that is no record: the link makes it evidence and joins nothing"
why_not = "why it is not followed; NULL where nothing here speaks against it. core.groups may still keep the two apart"
*/
WITH issues AS (
    SELECT e.source, e.external_id, e.key, e.url FROM core.errors AS e ANTI JOIN core.error_records AS r ON r.source = e.source AND r.external_id = e.external_id
),
-- What may name, and be named.
ends AS NOT MATERIALIZED (
    SELECT source, external_id, key, url, dedup_key, kind, false AS is_error FROM core.vendor_records
    UNION ALL
    SELECT source, external_id, key, url, key, 'incident', true FROM issues
),
-- Their episodes. Of a resolve at an unknown time, the last event is what is known.
lives AS NOT MATERIALIZED (
    SELECT record_id, source, external_id, episode, role, began_at, ended_at FROM core.standalone
    UNION ALL
    SELECT incident_uuid(p.source, p.external_id, p.episode), p.source, p.external_id, p.episode, 'machine alert', make_timestamptz(epoch_us(p.began_at)),
        make_timestamptz(epoch_us(greatest(p.began_at, coalesce(p.resolved_at, CASE WHEN p.is_over_unknown THEN coalesce(e.last_seen_at, p.began_at) ELSE run.as_of END))))
    FROM core.error_episodes AS p
    JOIN core.errors AS e ON e.source = p.source AND e.external_id = p.external_id
    SEMI JOIN issues AS i ON i.source = p.source AND i.external_id = p.external_id
    CROSS JOIN config.run AS run
),
named AS MATERIALIZED (
    SELECT row_number() OVER () AS no, n.*, i.external_id IS NOT NULL AS by_error,
        n.target_kind = 'key' AND n.text_id IS NOT NULL AND is_short_id(n.target) AS is_short_id
    FROM (
        SELECT l.source, l.external_id, l.place, l.text_id, l.reason, l.target_kind, l.target_source, l.target,
            bool_or(coalesce(l.is_responder, false)) AS is_responder
        FROM staging.links AS l
        SEMI JOIN ends AS r ON r.source = l.source AND r.external_id = l.external_id
        WHERE l.target_kind <> 'deploy'
        GROUP BY ALL
        UNION ALL
        SELECT source, external_id, 'links.csv', NULL, 'chosen', 'id', other_source, other_external_id, false
        FROM config.decisions
        WHERE decision = 'same'
    ) AS n
    LEFT JOIN issues AS i ON i.source = n.source AND i.external_id = n.external_id
),
-- A deduplication key is a record's own, or that of an alert that it was made of. Few records have one that another names.
keys AS (
    SELECT source, external_id, target AS dedup_key FROM named WHERE target_kind = 'dedup'
    UNION
    SELECT r.source, r.external_id, r.dedup_key
    FROM ends AS r
    SEMI JOIN named AS n ON n.target_kind = 'dedup' AND n.target = r.dedup_key
),
lasting AS (
    SELECT s.source, s.external_id, s.role, min(s.began_at) AS began_at, max(s.ended_at) AS ended_at
    FROM lives AS s
    SEMI JOIN keys AS k ON k.source = s.source AND k.external_id = s.external_id
    GROUP BY s.source, s.external_id, s.role
),
keyed AS (
    SELECT l.*, k.dedup_key FROM lasting AS l JOIN keys AS k ON k.source = l.source AND k.external_id = l.external_id
),
found AS (
    SELECT f.*, i.external_id IS NOT NULL AS is_error
    FROM (
        SELECT n.no, r.source, r.external_id
        FROM named AS n
        JOIN ends AS r ON r.source = n.target_source AND r.external_id = n.target
        WHERE n.target_kind = 'id'
        UNION
        SELECT n.no, r.source, r.external_id
        FROM named AS n
        JOIN (SELECT source, external_id, canonical_url(url) AS address FROM ends WHERE url IS NOT NULL) AS r
            ON r.address = n.target
        WHERE n.target_kind = 'url' AND coalesce(n.target_source = r.source, true)
        UNION
        SELECT n.no, r.source, r.external_id
        FROM named AS n
        JOIN ends AS r ON upper(r.key) = upper(n.target)
        WHERE n.target_kind = 'key' AND coalesce(n.target_source = r.source, true)
        UNION
        SELECT n.no, r.source, r.external_id
        FROM named AS n
        JOIN ends AS r ON r.external_id = n.target
        WHERE n.target_kind = 'key' AND NOT n.is_short_id AND coalesce(n.target_source = r.source, true)
        UNION
        SELECT n.no, r.source, r.external_id
        FROM named AS n
        JOIN lasting AS own ON own.source = n.source AND own.external_id = n.external_id
        JOIN keyed AS r ON r.dedup_key = n.target AND r.began_at <= own.ended_at AND own.began_at <= r.ended_at AND r.source <> n.source
            AND (r.role = 'pager' OR own.role = 'pager')
        WHERE n.target_kind = 'dedup' AND coalesce(n.target_source = r.source, true)
    ) AS f
    LEFT JOIN issues AS i ON i.source = f.source AND i.external_id = f.external_id
),
-- Projects and sites that records here are of tell keys from words such as UTF-8, and one tool from another.
sites AS (
    SELECT regexp_extract(n.target, '^\w+://([^/]+)', 1) AS site, coalesce(min(a.account) FILTER (NOT f.is_error), min(a.account)) AS account
    FROM named AS n
    JOIN found AS f ON f.no = n.no
    JOIN config.record_sources AS a ON a.source = f.source
    WHERE n.target_kind = 'url'
    GROUP BY 1
),
projects AS (
    SELECT regexp_extract(upper(r.key), '^(.+)-\d+$', 1) AS project, bool_and(r.is_error) AS is_of_errors,
        coalesce(min(a.account) FILTER (NOT r.is_error), min(a.account)) AS account
    FROM ends AS r
    JOIN config.record_sources AS a ON a.source = r.source
    WHERE contains(r.key, '-') AND regexp_matches(r.key, '^.+-\d+$')
    GROUP BY 1
),
resolved AS MATERIALIZED (
    SELECT
        n.*, f.source AS other_source, f.external_id AS other_external_id,
        n.reason IN ('url', 'key', 'text') AS is_name,
        -- Of a record's name that fits records and issues, each side is judged without what the other does not count.
        n.by_error OR coalesce(f.is_error, p.is_of_errors, false) AS is_of_error,
        coalesce(CASE WHEN n.by_error OR f.is_error THEN s.fits ELSE s.record_fits END, 1) AS fits,
        coalesce(a.account, n.target_source, p.account, u.account, regexp_extract(n.target, '^\w+://([^/]+)', 1)) AS tool,
        d.external_id IS NOT NULL AS is_deleted
    FROM named AS n
    LEFT JOIN found AS f ON f.no = n.no
    LEFT JOIN (SELECT no, count(*) AS fits, count(*) FILTER (NOT is_error) AS record_fits FROM found GROUP BY no HAVING count(*) > 1) AS s ON s.no = n.no
    LEFT JOIN config.record_sources AS a ON a.source = f.source
    LEFT JOIN projects AS p ON n.target_kind = 'key' AND p.project = regexp_extract(n.target, '^(.+)-\d+$', 1)
    LEFT JOIN sites AS u ON n.target_kind = 'url' AND u.site = regexp_extract(n.target, '^\w+://([^/]+)', 1)
    LEFT JOIN core.deleted_records AS d ON d.source = n.target_source AND d.external_id = n.target
    WHERE n.target_kind <> 'key' OR f.no IS NOT NULL OR (NOT n.is_short_id AND (p.account IS NOT NULL OR NOT regexp_matches(n.target, '^.+-\d+$')))
),
-- How many records of a tool one text names; itself does not count.
texts AS (
    SELECT source, external_id, text_id, tool, count(DISTINCT coalesce(other_source || chr(31) || other_external_id, target)) AS names,
        count(DISTINCT coalesce(other_source || chr(31) || other_external_id, target)) FILTER (NOT is_of_error) AS record_names
    FROM resolved
    WHERE text_id IS NOT NULL AND is_name AND (other_external_id IS NULL OR (source, external_id) <> (other_source, other_external_id))
    GROUP BY ALL
),
namers AS (
    SELECT other_source, other_external_id, count(DISTINCT source || chr(31) || external_id) AS named_by,
        count(DISTINCT source || chr(31) || external_id) FILTER (NOT is_of_error) AS record_named_by
    FROM resolved
    WHERE is_name AND (source, external_id) <> (other_source, other_external_id)
    GROUP BY ALL
),
-- A vendor's link holds for the nearest pair of episodes.
near AS (
    SELECT
        r.no, r.other_source, r.other_external_id,
        arg_min({apart_us: spread.gap, record_id: s.record_id, other_record_id: o.record_id},
            least(spread.gap, 86400000001)::HUGEINT * 18446744073709551616::HUGEINT + o.episode::HUGEINT * 4294967296 + s.episode) AS pair
    FROM resolved AS r
    JOIN lives AS s ON s.source = r.source AND s.external_id = r.external_id
    JOIN lives AS o ON o.source = r.other_source AND o.external_id = r.other_external_id,
    LATERAL (SELECT greatest(0, greatest(epoch_us(s.began_at), epoch_us(o.began_at)) - least(epoch_us(s.ended_at), epoch_us(o.ended_at))) AS gap) AS spread
    GROUP BY ALL
),
placed AS MATERIALIZED (
    SELECT r.*, n.pair.apart_us AS apart_us, n.pair.record_id AS record_id, n.pair.other_record_id AS other_record_id
    FROM resolved AS r
    LEFT JOIN near AS n ON n.no = r.no AND n.other_source = r.other_source AND n.other_external_id = r.other_external_id
),
-- A list of incidents names many, most of them long over.
lists AS (
    SELECT source, external_id,
        count(DISTINCT other_source || chr(31) || other_external_id) FILTER (NOT is_of_error) > 3
            AND coalesce(max(apart_us) FILTER (NOT is_of_error) > 86400000000, false) AS is_of_records
    FROM placed
    WHERE is_name AND other_source <> source
    GROUP BY source, external_id
    HAVING count(DISTINCT other_source || chr(31) || other_external_id) > 3 AND max(apart_us) > 86400000000
),
-- A channel lives as long as people use it, so its own lifetime tells no incident from the next.
beside AS (
    SELECT source, external_id, other_source, other_record_id FROM placed WHERE is_name AND apart_us <= 86400000000
    UNION ALL
    SELECT other_source, other_external_id, source, record_id FROM placed WHERE is_name AND apart_us <= 86400000000
),
standing AS (
    SELECT DISTINCT source, external_id
    FROM (
        SELECT b.source, b.external_id
        FROM beside AS b
        JOIN config.record_sources AS a ON a.source = b.source AND a.role = 'channel'
        JOIN core.standalone AS o ON o.record_id = b.other_record_id
        WHERE b.other_source <> b.source
        GROUP BY b.source, b.external_id, b.other_source
        HAVING max(epoch_us(o.began_at)) - min(epoch_us(o.ended_at)) > 86400000000
    )
),
kinds AS (
    SELECT source, external_id, kind FROM core.vendor_records WHERE kind <> 'incident'
),
guarded AS (
    SELECT
        p.*,
        CASE WHEN p.is_of_error THEN n.named_by ELSE n.record_named_by END AS named_by,
        CASE WHEN p.is_of_error THEN t.names ELSE t.record_names END AS names,
        l.external_id IS NOT NULL AND (p.is_of_error OR l.is_of_records) AS is_in_list,
        c.external_id IS NOT NULL OR oc.external_id IS NOT NULL AS is_standing
    FROM placed AS p
    LEFT JOIN texts AS t ON t.source = p.source AND t.external_id = p.external_id AND t.text_id = p.text_id AND t.tool = p.tool
    LEFT JOIN namers AS n ON n.other_source = p.other_source AND n.other_external_id = p.other_external_id
    LEFT JOIN lists AS l ON l.source = p.source AND l.external_id = p.external_id
    LEFT JOIN standing AS c ON c.source = p.source AND c.external_id = p.external_id
    LEFT JOIN standing AS oc ON oc.source = p.other_source AND oc.external_id = p.other_external_id
)
SELECT
    p.source,
    p.external_id,
    p.record_id,
    p.place,
    p.reason AS link_reason,
    p.target,
    p.other_source,
    p.other_external_id,
    p.other_record_id,
    p.is_responder,
    nullif(p.named_by, 0) AS named_by,
    p.apart_us,
    -- Nothing but a list or template speaks against it.
    NOT p.is_of_error AND p.is_name AND p.record_id IS NOT NULL AND p.apart_us <= 86400000000 AND p.source <> p.other_source
        AND refused.external_id IS NULL
        AND kind.kind IS NULL AND other_kind.kind IS NULL AND run.correlates AND p.fits = 1
        AND (coalesce(p.names, 1) > 1 OR p.named_by > 3 OR p.is_in_list OR p.is_standing) AS is_doubt,
    p.is_of_error,
    CASE
        WHEN NOT run.correlates THEN 'correlation is off'
        WHEN p.reason <> 'chosen' AND in_force.reason IS NULL THEN 'links of this kind are not followed: [correlation] reasons'
        WHEN p.other_external_id IS NULL AND p.reason = 'dedup' THEN 'no other record has this key while it lasts'
        WHEN p.other_external_id IS NULL AND p.is_deleted THEN 'the record it names is deleted at its source'
        WHEN p.other_external_id IS NULL THEN 'the record it names was never read'
        WHEN (p.source, p.external_id) = (p.other_source, p.other_external_id) THEN 'it names itself'
        WHEN p.fits > 1 AND p.target_kind <> 'dedup' THEN 'records of several accounts have this name'
        WHEN refused.external_id IS NOT NULL THEN 'refused by ' || coalesce(refused.decided_by, 'nobody named') || coalesce(': ' || refused.why, '')
        WHEN p.reason = 'chosen' THEN CASE WHEN p.record_id IS NULL THEN 'a record has no usable stamp' END
        WHEN p.source = p.other_source AND p.reason <> 'vendor' THEN 'both are of one source'
        WHEN p.is_name AND p.names > 1 THEN 'the text names several records of one tool'
        WHEN p.is_name AND p.named_by > 3 THEN 'more than 3 records name it: a template, a parent or a list'
        WHEN p.is_name AND p.is_in_list THEN 'it names more than 3 records of different times: a list'
        WHEN p.is_name AND p.is_standing
            THEN 'the channel goes with records of one tool that are more than 24 hours apart: a standing channel'
        WHEN kind.kind IS NOT NULL OR other_kind.kind IS NOT NULL THEN 'one of the two is no incident: ' || coalesce(kind.kind, other_kind.kind)
        WHEN p.record_id IS NULL THEN 'a record has no usable stamp'
        WHEN p.is_name AND p.apart_us > 86400000000 THEN 'their lifetimes are more than 24 hours apart'
        WHEN p.reason = 'dedup' AND p.apart_us > 0 THEN 'their lifetimes do not overlap'
    END AS why_not
FROM guarded AS p
CROSS JOIN config.run AS run
LEFT JOIN config.link_reasons AS in_force ON in_force.reason = p.reason
LEFT JOIN kinds AS kind ON kind.source = p.source AND kind.external_id = p.external_id
LEFT JOIN kinds AS other_kind ON other_kind.source = p.other_source AND other_kind.external_id = p.other_external_id
LEFT JOIN config.refusals AS refused ON refused.source = p.source AND refused.external_id = p.external_id
    AND refused.other_source = p.other_source AND refused.other_external_id = p.other_external_id
-- The address of its own page is no link.
WHERE NOT coalesce(p.place = 'url' AND p.source = p.other_source AND p.external_id = p.other_external_id, false)
