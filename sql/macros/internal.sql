-- Macros of the pipeline, which are not published. Instants are TIMESTAMPs that hold UTC, so no macro does zone arithmetic on them.

-- The instant of an ISO 8601 text. A text without an offset is read in `zone` (an IANA name), and is NULL without a zone. Any other
-- text is NULL. Texts that end in Z use the plain cast, which is many times faster than one through a zone.
CREATE OR REPLACE MACRO instant(text, zone := NULL) AS
    CASE
        WHEN regexp_full_match(text, '\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?[Zz]')
            THEN try_cast(replace(text[:-2], ',', '.') AS TIMESTAMP)
        WHEN regexp_full_match(text, '\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)? ?[+-]\d\d(:?\d\d)?')
            THEN make_timestamp(epoch_us(try_cast(text AS TIMESTAMPTZ)))
        WHEN zone IS NOT NULL AND regexp_full_match(text, '\d{4,6}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?')
            THEN make_timestamp(epoch_us(timezone(zone, try_cast(text AS TIMESTAMP))))
    END;

-- Why `instant` could not read a text; NULL when it could.
CREATE OR REPLACE MACRO instant_problem(name, text, parsed) AS
    CASE
        WHEN text IS NULL THEN name || ' is missing'
        WHEN parsed IS NULL AND try_cast(text AS TIMESTAMP) IS NOT NULL
            THEN name || ' has no offset and the source no time_zone: ' || left(text, 40)
        WHEN parsed IS NULL THEN name || ' is no instant: ' || left(text, 40)
    END;

-- Why a landed line is not a record, with the start of its text.
CREATE OR REPLACE MACRO unreadable_reason(reason, text) AS
    coalesce(reason, 'no JSON object') || coalesce(': ' || nullif(left(text, 80), ''), '');

-- Whether a body was left out because of its signature. mttr_pipeline.intake.signatures writes these reasons.
CREATE OR REPLACE MACRO is_refused(reason) AS
    starts_with(reason, 'not signed: ') OR starts_with(reason, 'the signature in ');

-- The instant of an epoch number in seconds or milliseconds. The magnitude tells which of the two it is.
CREATE OR REPLACE MACRO epoch_instant(number) AS
    make_timestamp(CASE WHEN abs(number::BIGINT) < 100000000000 THEN number::BIGINT * 1000000 ELSE number::BIGINT * 1000 END);

-- Whether two reports are close enough in time to be about the same event.
CREATE OR REPLACE MACRO within_a_minute(a, b) AS abs(epoch_us(a) - epoch_us(b)) <= 60000000;

-- RFC 9562 UUID version 5 of a record. It is the same on every machine. The name space belongs to this project. The parts are joined
-- by the unit separator, which no vendor id contains. No subquery: one would be made for every row, wanted or not.
CREATE OR REPLACE MACRO incident_uuid(source, external_id, episode) AS
    list_transform(
        [sha1(unhex('7d1c4a0e2f0b5c1a9a7d5e0b3c9f6a41') || encode(
            source || chr(31) || external_id || CASE WHEN episode > 1 THEN chr(31) || episode ELSE '' END))],
        lambda h: h[1:8] || '-' || h[9:12] || '-5' || h[14:16] || '-'
            || substr('89ab', 1 + (('0x' || h[17:17])::INTEGER % 4), 1) || h[18:20] || '-' || h[21:32])[1];

-- An id made from the texts that make up something without an id of its own. Not from what an engine prints for a whole record:
-- another release may print it differently. The parts are joined by the unit separator; a missing one is no empty one.
CREATE OR REPLACE MACRO content_id(parts) AS
    left(sha1(array_to_string(list_transform(parts, lambda part: coalesce(part, chr(30))), chr(31))), 16);

-- Whether a responder's note starts with one of the marks, such as 'Mitigated:'. Case and leading white space do not matter.
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

-- Whether a text is missing or says nothing. `trim` looks at every character: it is asked only where the first one does not tell.
CREATE OR REPLACE MACRO is_blank(value) AS (value BETWEEN '!' AND '~') IS NOT TRUE AND text_or_null(value) IS NULL;

-- A text without what may stand at its end, at a fifth of the time of a pattern.
CREATE OR REPLACE MACRO without_end(value, ending) AS
    CASE WHEN ends_with(value, ending) THEN left(value, -length(ending)) ELSE value END;

-- The text of a field in a file: trimmed, and NULL where it is one of the words that say nothing. They are those of
-- mttr_pipeline.landing.formats.NULL_WORDS, which the cells of tables are compared with. None has more than 4 bytes. A pattern, because
-- DuckDB makes a join of a list of words, for each text that is compared, and a join loses the order of landing.
CREATE OR REPLACE MACRO given_text(value) AS
    CASE WHEN strlen(trim(value)) > 4 OR NOT regexp_full_match(trim(value), '|NA|N/A|#N/A|NULL|null|None|NaN|nan|\\N|\?')
        THEN trim(value) END;

-- The text of a JSON value: of a text or number the value itself, of an object (an option, a user, a team) its label, of a list that
-- of its first element. Anything else, such as an object without a label, has no text: NULL.
CREATE OR REPLACE MACRO json_scalar(value) AS
    CASE WHEN json_type(value) NOT IN ('OBJECT', 'ARRAY') THEN text_or_null(value ->> '$') END;
-- One look at all keys of the object: an expression for each would be planned again wherever a text is read.
CREATE OR REPLACE MACRO json_label(value) AS
    CASE WHEN json_type(value) = 'OBJECT'
        THEN list_filter(
            list_transform(
                json_extract(value, ['$.value', '$.name', '$.displayName', '$.label', '$.summary', '$.id']),
                lambda part: json_scalar(part)),
            lambda label: label IS NOT NULL)[1]
        ELSE json_scalar(value) END;
CREATE OR REPLACE MACRO json_text(value) AS
    CASE WHEN json_type(value) = 'ARRAY' THEN json_label(json_extract(value, '$[0]')) ELSE json_label(value) END;

-- The same for a value that was read as text, which a list or an object becomes JSON in.
CREATE OR REPLACE MACRO plain_text(value) AS
    CASE WHEN (starts_with(value, '[') OR starts_with(value, '{')) AND json_valid(value) THEN json_text(try_cast(value AS JSON))
        ELSE text_or_null(value) END;

-- Why a list or an object that was read as text cannot be taken; `found` is the text that it stands for.
CREATE OR REPLACE MACRO no_text(field, value, found) AS
    CASE WHEN found IS NULL AND (starts_with(value, '[') OR starts_with(value, '{')) THEN
        CASE WHEN regexp_matches(value, '^.\s*["\[{]') AND json_valid(value) THEN field || ' is no text: ' || left(value, 40) END
    END;

-- Whether a JSON value that is not empty has no such text.
CREATE OR REPLACE MACRO is_no_text(value) AS
    json_type(value) IN ('OBJECT', 'ARRAY') AND json_text(value) IS NULL AND value::VARCHAR NOT IN ('[]', '{}');

-- What is wrong with a field of a record that is used without it: the value is neither a text nor stands for one, or no number where
-- `target` is counted. NULL where nothing is wrong, and for stamps, which are counted as events without an instant.
CREATE OR REPLACE MACRO field_problem(field, value, target) AS
    CASE
        WHEN is_no_text(value) THEN 'the field ' || field || ' is no text and stays empty: ' || left(value::VARCHAR, 40)
        WHEN target IN ('affected_users', 'revenue_impact') AND json_text(value) IS NOT NULL AND try_cast(json_text(value) AS DOUBLE) IS NULL
            THEN 'the field ' || field || ' is no number and stays empty: ' || left(json_text(value), 40)
    END;

-- The members of a JSON object; NULL for anything else. An object with a repeated name is NULL too, because its cast would fail.
CREATE OR REPLACE MACRO json_map(value) AS
    CASE WHEN len(json_keys(value)) = len(list_distinct(json_keys(value))) THEN try_cast(value AS MAP(VARCHAR, JSON)) END;

-- The instant of an ISO 8601 text or an epoch number.
CREATE OR REPLACE MACRO any_instant(text, zone := NULL) AS
    coalesce(TRY(epoch_instant(try_cast(text AS BIGINT))), instant(text, zone));

-- The same, where the epoch number may also count nanoseconds.
CREATE OR REPLACE MACRO any_fine_instant(text, zone := NULL) AS
    coalesce(make_timestamp(CASE WHEN try_cast(text AS BIGINT) > 100000000000000000 THEN try_cast(text AS BIGINT) // 1000 END),
        any_instant(text, zone));

-- The landed lines of the stream that is being loaded, one row per record. A field of the wrong type is NULL, and a line that is not
-- an object is a row of NULLs. The model that reads them rejects such records; they do not stop the load.
CREATE OR REPLACE MACRO landed(fields) AS TABLE
    SELECT * EXCLUDE (filename), replace(filename, getvariable('landing_root'), '') AS landed_in
    FROM read_json(
        getvariable('files'), columns = fields, format = 'newline_delimited', compression = 'zstd', filename = true,
        ignore_errors = true, maximum_object_size = 33554432
    );

-- A stamp packed into one integer that sorts by instant: microseconds, provenance, and kind of actor or that an integration copied it. So one min or max finds the
-- first or last stamp and where it comes from, with the same result on every run even when two events share an instant.
CREATE OR REPLACE MACRO packed(happened_at, provenance, actor_kind, is_copied) AS
    epoch_us(happened_at) * 64
    + coalesce(list_position(['field', 'api', 'changelog', 'derived'], provenance), 0) * 8
    + CASE WHEN is_copied THEN 4 ELSE coalesce(list_position(['human', 'integration', 'timeout'], actor_kind), 0) END;
CREATE OR REPLACE MACRO packed_at(stamp) AS make_timestamp(stamp // 64);
CREATE OR REPLACE MACRO packed_provenance(stamp) AS ['field', 'api', 'changelog', 'derived'][(stamp // 8) % 8];
CREATE OR REPLACE MACRO packed_actor_kind(stamp) AS ['human', 'integration', 'timeout', 'integration'][stamp % 8];
CREATE OR REPLACE MACRO packed_is_copied(stamp) AS coalesce(stamp % 8 = 4, false);

-- The first stamp of a kind of event among many events, and the last one that no reopen undid, packed. A field takes precedence.
CREATE OR REPLACE MACRO first_stamp(kind, event_type, stamp, is_field) AS coalesce(
    min(stamp) FILTER (WHERE event_type = kind AND is_field), min(stamp) FILTER (WHERE event_type = kind));
CREATE OR REPLACE MACRO last_stamp(kind, event_type, stamp, is_field, is_undone) AS coalesce(
    max(stamp) FILTER (WHERE event_type = kind AND is_field), max(stamp) FILTER (WHERE event_type = kind AND NOT is_undone));

-- 95 % limits of the share k / n (Wilson, Journal of the American Statistical Association 22, 1927), 0 to 1; NULL for n = 0. For
-- k = 0 the lower limit is exactly 0 and for k = n the upper limit is exactly 1, where the formula has a rounding error.
CREATE OR REPLACE MACRO wilson_low(k, n) AS
    CASE WHEN n > 0 AND k = 0 THEN 0.0::DOUBLE WHEN n > 0 THEN
        (k + 3.8414588206941254::DOUBLE / 2 - 1.959963984540054::DOUBLE * sqrt(k::DOUBLE * (n - k) / n + 3.8414588206941254::DOUBLE / 4))
        / (n + 3.8414588206941254::DOUBLE) END;
CREATE OR REPLACE MACRO wilson_high(k, n) AS
    CASE WHEN n > 0 AND k = n THEN 1.0::DOUBLE WHEN n > 0 THEN
        (k + 3.8414588206941254::DOUBLE / 2 + 1.959963984540054::DOUBLE * sqrt(k::DOUBLE * (n - k) / n + 3.8414588206941254::DOUBLE / 4))
        / (n + 3.8414588206941254::DOUBLE) END;

-- The status of k of n incidents within their target, compared in whole numbers.
CREATE OR REPLACE MACRO compliance_status(k, n) AS
    CASE WHEN n = 0 THEN 'no_data' WHEN k * 100 >= 95 * n THEN 'healthy' WHEN k * 100 >= 80 * n THEN 'warning' ELSE 'critical' END;

-- The result columns of compliance, aggregated from the outcome and the duration (NULL while unfinished) of each incident. k are
-- the incidents within their target, n those that count.
CREATE OR REPLACE MACRO compliance_columns(k, n, outcome, us) AS {
    actual_mean: sum(us)::DOUBLE / (nullif(count(us), 0) * 6e7),
    actual_median: quantile_cont(us, 0.5) / 6e7,
    finished_count: count(us),
    incidents_count: n,
    within_target: k,
    at_risk: count(*) FILTER (WHERE outcome = 'at_risk'),
    breached: n - k,
    open_breached: count(*) FILTER (WHERE outcome = 'open_breached'),
    pending: count(*) FILTER (WHERE outcome = 'pending'),
    invalid: count(*) FILTER (WHERE outcome = 'invalid'),
    not_measured: count(*) FILTER (WHERE outcome = 'not_measured'),
    compliance_pct: 100.0 * k / nullif(n, 0),
    compliance_low_pct: 100 * wilson_low(k, n),
    compliance_high_pct: 100 * wilson_high(k, n),
    status: compliance_status(k, n),
    low_n: n < 6
};
CREATE OR REPLACE MACRO compliance_of(outcome, us) AS compliance_columns(
    count(*) FILTER (WHERE outcome IN ('within', 'at_risk')),
    count(*) FILTER (WHERE outcome IN ('within', 'at_risk', 'late', 'open_breached')), outcome, us);

-- A target in whole microseconds, and the share of it (in percent, rounded down) above which a duration is at risk. The percentage
-- counts in millionths, so that all numbers are integers and a duration of exactly that share is not at risk.
CREATE OR REPLACE MACRO whole_us(minutes) AS round(minutes * 6e7)::BIGINT;
CREATE OR REPLACE MACRO share_us(minutes, pct) AS
    (whole_us(minutes)::HUGEINT * round(pct * 1e6)::BIGINT // 100000000)::BIGINT;

-- Sums over the durations of a phase; negative ones are only counted. lifecycle_us and coarse_us are the sums over the incidents
-- with all stamps of that phase model in order. FILTER would take half as long again as CASE.
CREATE OR REPLACE MACRO phase_sums(us, complete_lifecycle, complete_coarse) AS {
    n: count(CASE WHEN us >= 0 THEN us END),
    total_us: sum(CASE WHEN us >= 0 THEN us END),
    invalid: count(CASE WHEN us < 0 THEN us END),
    lifecycle_us: sum(CASE WHEN complete_lifecycle THEN us END),
    coarse_us: sum(CASE WHEN complete_coarse THEN us END)
};
-- The sums of several groups as those of one group; those of complete cases also for the groups with an occurrence before detected.
CREATE OR REPLACE MACRO added_phase_sums(sums, is_from_occurred) AS {
    n: sum(struct_extract(sums, 'n'))::BIGINT,
    mean_us: sum(struct_extract(sums, 'total_us'))::DOUBLE / sum(struct_extract(sums, 'n')),
    total_us: sum(struct_extract(sums, 'total_us'))::HUGEINT,
    invalid: sum(struct_extract(sums, 'invalid'))::BIGINT,
    lifecycle_us: sum(struct_extract(sums, 'lifecycle_us'))::HUGEINT,
    coarse_us: sum(struct_extract(sums, 'coarse_us'))::HUGEINT,
    lifecycle_occurred_us: sum(CASE WHEN is_from_occurred THEN struct_extract(sums, 'lifecycle_us') END)::HUGEINT,
    coarse_occurred_us: sum(CASE WHEN is_from_occurred THEN struct_extract(sums, 'coarse_us') END)::HUGEINT
};

-- A Kaplan-Meier median as text. A median that is not reached is longer than the longest observation.
CREATE OR REPLACE MACRO recovery_text(median_minutes, longest_minutes) AS
    CASE
        WHEN median_minutes >= 9.95 THEN printf('%.0f min', median_minutes)
        WHEN median_minutes IS NOT NULL THEN printf('%.1f min', median_minutes)
        WHEN longest_minutes IS NOT NULL THEN printf('> %d min', floor(longest_minutes)::BIGINT)
    END;

-- An address that a page may link to: http or https, a host, and no white space. Others (javascript:, data:, file:) are NULL.
CREATE OR REPLACE MACRO web_link(url) AS
    CASE WHEN regexp_full_match(url, '(?i:https?)://[^\s\x00-\x1f/?#"<>\\]+([/?#][^\s\x00-\x1f"]*)?') THEN url END;

-- A text without e-mail addresses. With `[people] publish_names` it is the text itself.
CREATE OR REPLACE MACRO without_addresses(text) AS
    CASE WHEN contains(text, '@') OR contains(text, '%40')
        -- Said by what stands in none of their parts: a pattern of all letters takes ten times longer to be read, for every column.
        THEN regexp_replace(text, '[^\s<>()\[\]{}",;:/\\|=@?&#!*~^$`]+(@|%40)[^\s<>()\[\]{}"\x27,;:/\\|=@?&#!*~^$`.%]+(\.[^\s<>()\[\]{}"\x27,;:/\\|=@?&#!*~^$`.%]+)+',
            '<e-mail>', 'g')
        ELSE text END;

-- Whether what did something is certainly no person: what a vendor does not say may be one.
CREATE OR REPLACE MACRO is_machine(actor_kind) AS coalesce(actor_kind IN ('integration', 'timeout'), false);

-- Whether a responder is a person, or may be one.
CREATE OR REPLACE MACRO is_person(kind) AS coalesce(kind NOT IN ('team', 'schedule', 'escalation'), true);

-- A text without the credentials of this run: `prepare` makes it anew for the credentials that there are.
CREATE OR REPLACE MACRO without_secrets(text) AS text;

-- What the first group of a configured pattern finds in a text. DuckDB compiles a pattern that stands in a table anew for every row, which
-- takes longer than all else: `prepare` makes the macro anew with the patterns of this run written into it.
CREATE OR REPLACE MACRO found_by(text, pattern) AS regexp_extract_all(text, pattern, 1);

-- A version as people see it: without the package before an @. With it, it looks like an e-mail address.
CREATE OR REPLACE MACRO short_version(version) AS
    -- Few have a package: the pattern is asked only where there is an @.
    nullif(CASE WHEN contains(version, '@') THEN regexp_replace(trim(version), '^.*@', '') ELSE trim(version) END, '');

-- The same only where the version would be taken for an e-mail address.
CREATE OR REPLACE MACRO readable_version(version) AS
    CASE WHEN without_addresses(version) IS DISTINCT FROM version THEN short_version(version) ELSE version END;

-- What versions are compared by: that in small letters; of a commit the first seven digits, because
-- some tools shorten them. A commit has a letter: 20261001 is a date.
CREATE OR REPLACE MACRO release_key(version) AS
    list_transform([lower(short_version(version))], lambda v:
        CASE WHEN strlen(v) >= 7 AND regexp_full_match(v, '[0-9a-f]{7,64}') AND regexp_matches(v, '[a-f]') THEN left(v, 7) ELSE v END)[1];

-- An instant that can be one: not before 2000, not later than 5 minutes after the clock of the run.
CREATE OR REPLACE MACRO possible_instant(stamp, as_of) AS
    CASE WHEN stamp >= TIMESTAMP '2000-01-01' AND stamp <= as_of + INTERVAL 5 MINUTE THEN stamp END;
-- What titles of alerts of one rule have in common: ids and numbers are left out, and white space is one blank.
CREATE OR REPLACE MACRO one_blank(text) AS
    CASE WHEN regexp_matches(text, '\s\s|[^ \S]') THEN trim(regexp_replace(text, '\s+', ' ', 'g')) ELSE trim(text) END;
CREATE OR REPLACE MACRO without_ids(text) AS
    CASE WHEN regexp_matches(text, '[0-9a-fA-F]{12}') -- few have one: the rest is asked one question
        THEN regexp_replace(regexp_replace(text, '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}', '#', 'g'), '\b[0-9a-fA-F]{12,}\b', '#', 'g')
        ELSE text END;
CREATE OR REPLACE MACRO title_template(title) AS
    left(one_blank(regexp_replace(without_ids(title), '[0-9]+([.,:][0-9]+)*', '#', 'g')), 120);

-- Five weekdays after a local time, at the same time of day; the first weekday after it is day 1.
CREATE OR REPLACE MACRO five_weekdays_after(local_time) AS
    local_time + to_days(CASE dayofweek(local_time) WHEN 6 THEN 6 WHEN 0 THEN 5 ELSE 7 END);

-- An instant as the clocks of a zone show it, and back. Both are TIMESTAMPs; UTC, the usual zone, needs no look into the zone.
CREATE OR REPLACE MACRO local_of(instant_utc, zone) AS
    CASE WHEN zone = 'UTC' THEN instant_utc ELSE timezone(zone, make_timestamptz(epoch_us(instant_utc))) END;
CREATE OR REPLACE MACRO utc_of(local_time, zone) AS
    CASE WHEN zone = 'UTC' THEN local_time ELSE make_timestamp(epoch_us(timezone(zone, local_time))) END;
