-- Macros of the pipeline itself; they are not published. Instants are TIMESTAMP holding UTC (no zone arithmetic inside).

-- The instant that an ISO 8601 text with an offset names. Without an offset it is read in `zone` (IANA name); no zone: NULL.
-- Text that is no instant is NULL. The plain cast is taken for `Z`: it is many times faster than one through a zone.
CREATE OR REPLACE MACRO instant(text, zone := NULL) AS
    CASE
        WHEN regexp_full_match(text, '\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?[Zz]')
            THEN try_cast(replace(text[:-2], ',', '.') AS TIMESTAMP)
        WHEN regexp_full_match(text, '\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)? ?[+-]\d\d(:?\d\d)?')
            THEN make_timestamp(epoch_us(try_cast(text AS TIMESTAMPTZ)))
        WHEN zone IS NOT NULL AND regexp_full_match(text, '\d{4,6}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?')
            THEN make_timestamp(epoch_us(timezone(zone, try_cast(text AS TIMESTAMP))))
    END;

-- Why `instant` gave nothing for a text that should be one; NULL when it is fine.
CREATE OR REPLACE MACRO instant_problem(name, text, parsed) AS
    CASE
        WHEN text IS NULL THEN name || ' is missing'
        WHEN parsed IS NULL AND try_cast(text AS TIMESTAMP) IS NOT NULL
            THEN name || ' has no offset and the source no time_zone: ' || left(text, 40)
        WHEN parsed IS NULL THEN name || ' is no instant: ' || left(text, 40)
    END;

-- Why a line was not taken for a record by the one who landed it, with the start of its text.
CREATE OR REPLACE MACRO unreadable_reason(reason, text) AS
    coalesce(reason, 'no JSON object') || coalesce(': ' || nullif(left(text, 80), ''), '');

-- An instant of an epoch number given in seconds or milliseconds, told apart by magnitude.
CREATE OR REPLACE MACRO epoch_instant(number) AS
    make_timestamp(CASE WHEN abs(number::BIGINT) < 100000000000 THEN number::BIGINT * 1000000 ELSE number::BIGINT * 1000 END);

-- Whether two reports are close enough to be about the same event.
CREATE OR REPLACE MACRO within_a_minute(a, b) AS abs(epoch_us(a) - epoch_us(b)) <= 60000000;

-- RFC 9562 UUID version 5 of a record, the same on every machine. The name space is this project's own; the parts are
-- joined by the unit separator, which no vendor id contains.
CREATE OR REPLACE MACRO incident_uuid(source, external_id, episode) AS (
    SELECT h[1:8] || '-' || h[9:12] || '-5' || h[14:16] || '-'
        || substr('89ab', 1 + (('0x' || h[17:17])::INTEGER % 4), 1) || h[18:20] || '-' || h[21:32]
    FROM (SELECT sha1(unhex('7d1c4a0e2f0b5c1a9a7d5e0b3c9f6a41') || encode(
        source || chr(31) || external_id || CASE WHEN episode > 1 THEN chr(31) || episode ELSE '' END)) AS h)
);

-- An id for something that has none of its own, from what it says.
CREATE OR REPLACE MACRO content_id(content) AS left(sha1(content), 16);

-- Whether a responder's note starts with one of the marks, such as 'Mitigated:' (case and leading white space ignored).
CREATE OR REPLACE MACRO starts_with_any(note, marks) AS
    len(list_filter(marks, lambda mark: starts_with(lower(ltrim(note)), lower(mark)))) > 0;

-- A vendor's word as the vocabulary compares it: no capitals, no white space, no - and no _. This is the rule of
-- mttr_pipeline.config.names.normalize. Plain ASCII is compared here; everything else, and a word that has nothing but - and _,
-- goes through that function, because DuckDB has no Unicode NFKC.
CREATE OR REPLACE MACRO normalized(word) AS
    CASE WHEN strlen(word) = length(word)
        THEN coalesce(nullif(regexp_replace(lower(word), '[\s\x0b\x1c-\x1f_-]+', '', 'g'), ''), normalize_unicode(word))
        ELSE normalize_unicode(word) END;

-- Whether a line of the vocabulary is about a word. Both stand as they are compared.
CREATE OR REPLACE MACRO line_fits(line, is_prefix, word) AS
    CASE WHEN is_prefix THEN starts_with(word, line) ELSE word = line END;

-- Which of several lines that fit a word applies: the greatest. A line for one project goes before one for all, a whole word
-- before the beginning of one, a longer beginning before a shorter one.
CREATE OR REPLACE MACRO line_rank(scope, is_prefix, line) AS (scope <> '', NOT is_prefix, length(line));

-- Trimmed text; empty is NULL.
CREATE OR REPLACE MACRO text_or_null(value) AS nullif(trim(value), '');

-- The text that a JSON value stands for: the value itself, the label of an option or object, that of a list's first element.
CREATE OR REPLACE MACRO json_label(value) AS
    text_or_null(CASE WHEN json_type(value) = 'OBJECT'
        THEN coalesce(value ->> '$.value', value ->> '$.name', value ->> '$.displayName', value ->> '$.label', value ->> '$.id')
        ELSE value ->> '$' END);
CREATE OR REPLACE MACRO json_text(value) AS
    CASE WHEN json_type(value) = 'ARRAY' THEN json_label(json_extract(value, '$[0]')) ELSE json_label(value) END;

-- The members of a JSON object; NULL for anything else. An object that has a name twice is NULL too: the cast would stop.
CREATE OR REPLACE MACRO json_map(value) AS
    CASE WHEN len(json_keys(value)) = len(list_distinct(json_keys(value))) THEN try_cast(value AS MAP(VARCHAR, JSON)) END;

-- An instant sent as ISO 8601 text or as an epoch number.
CREATE OR REPLACE MACRO any_instant(text, zone := NULL) AS
    coalesce(TRY(epoch_instant(try_cast(text AS BIGINT))), instant(text, zone));

-- The same where the number may also count nanoseconds.
CREATE OR REPLACE MACRO any_fine_instant(text, zone := NULL) AS
    coalesce(make_timestamp(CASE WHEN try_cast(text AS BIGINT) > 100000000000000000 THEN try_cast(text AS BIGINT) // 1000 END),
        any_instant(text, zone));

-- The landed lines of the stream that is being loaded, one row a record. A field of the wrong type is NULL, a line that is
-- no object is a row of NULLs: both are judged by the model that reads them, neither stops the load.
CREATE OR REPLACE MACRO landed(fields) AS TABLE
    SELECT * EXCLUDE (filename), replace(filename, getvariable('landing_root'), '') AS landed_in
    FROM read_json(
        getvariable('files'), columns = fields, format = 'newline_delimited', compression = 'zstd', filename = true,
        ignore_errors = true, maximum_object_size = 33554432
    );

-- A stamp in one integer that orders by instant: microseconds, provenance and kind of actor. The first or last stamp and
-- where it came from are then one min or max, the same on every run even when two events share an instant.
CREATE OR REPLACE MACRO packed(happened_at, provenance, actor_kind) AS
    epoch_us(happened_at) * 64
    + coalesce(list_position(['field', 'api', 'changelog', 'derived'], provenance), 0) * 8
    + coalesce(list_position(['human', 'integration', 'timeout'], actor_kind), 0);
CREATE OR REPLACE MACRO packed_at(stamp) AS make_timestamp(stamp // 64);
CREATE OR REPLACE MACRO packed_provenance(stamp) AS ['field', 'api', 'changelog', 'derived'][(stamp // 8) % 8];
CREATE OR REPLACE MACRO packed_actor_kind(stamp) AS ['human', 'integration', 'timeout'][stamp % 8];

-- What thresholds and opportunities are judged by: n and sum of the valid durations of a phase, how many reach the warning and
-- the critical level, and the time spent above the warning level. All are exact integers, so that groups can be added up. (Over
-- so many columns CASE takes DuckDB two thirds of the time of FILTER.)
CREATE OR REPLACE MACRO threshold_measures(us, warning_us, critical_us) AS {
    n: count(CASE WHEN us >= 0 THEN us END),
    total_us: coalesce(sum(CASE WHEN us >= 0 THEN us END), 0),
    n_at_warning: count(CASE WHEN us >= 0 AND us >= warning_us THEN us END),
    n_at_critical: count(CASE WHEN us >= 0 AND us >= critical_us THEN us END),
    avoidable_us: coalesce(sum(CASE WHEN us > warning_us THEN us - warning_us END), 0)
};

-- Limits of a share of k in n with 95 % confidence (Wilson), 0 to 1; NULL for n = 0. At none or all, the limit is exactly 0 or
-- 1; the formula would miss it by a rounding error.
CREATE OR REPLACE MACRO wilson_low(k, n) AS
    CASE WHEN n > 0 AND k = 0 THEN 0.0::DOUBLE WHEN n > 0 THEN
        (k + 3.8414588206941254::DOUBLE / 2 - 1.959963984540054::DOUBLE * sqrt(k::DOUBLE * (n - k) / n + 3.8414588206941254::DOUBLE / 4))
        / (n + 3.8414588206941254::DOUBLE) END;
CREATE OR REPLACE MACRO wilson_high(k, n) AS
    CASE WHEN n > 0 AND k = n THEN 1.0::DOUBLE WHEN n > 0 THEN
        (k + 3.8414588206941254::DOUBLE / 2 + 1.959963984540054::DOUBLE * sqrt(k::DOUBLE * (n - k) / n + 3.8414588206941254::DOUBLE / 4))
        / (n + 3.8414588206941254::DOUBLE) END;

-- What k of n incidents within their target mean, compared in whole numbers.
CREATE OR REPLACE MACRO compliance_status(k, n) AS
    CASE WHEN n = 0 THEN 'no_data' WHEN k * 100 >= 95 * n THEN 'healthy' WHEN k * 100 >= 80 * n THEN 'warning' ELSE 'critical' END;

-- What adds up of durations, and those of several groups as one; negative ones are only counted.
CREATE OR REPLACE MACRO duration_sums(us) AS {
    n: count(CASE WHEN us >= 0 THEN us END),
    total_us: sum(CASE WHEN us >= 0 THEN us END),
    invalid: count(CASE WHEN us < 0 THEN us END)
};
CREATE OR REPLACE MACRO added_up(sums) AS {
    n: sum(struct_extract(sums, 'n'))::BIGINT,
    mean_us: sum(struct_extract(sums, 'total_us'))::DOUBLE / sum(struct_extract(sums, 'n')),
    total_us: sum(struct_extract(sums, 'total_us'))::HUGEINT,
    invalid: sum(struct_extract(sums, 'invalid'))::BIGINT
};

-- A Kaplan-Meier median in words; where the curve does not come down to it, that it is longer than anything observed.
CREATE OR REPLACE MACRO recovery_text(median_minutes, longest_minutes) AS
    CASE
        WHEN median_minutes >= 9.95 THEN printf('%.0f min', median_minutes)
        WHEN median_minutes IS NOT NULL THEN printf('%.1f min', median_minutes)
        WHEN longest_minutes IS NOT NULL THEN printf('> %d min', floor(longest_minutes)::BIGINT)
    END;
