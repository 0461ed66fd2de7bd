-- Macros of the presets in sql/import. A preset reads the table `given`: `line`, and `record`, which is the record as JSON. The names of
-- a CSV or Parquet file's columns are folded there: lower case letters and digits, with _ between words.

-- The text of a JSON value: itself, the name of an object, the first element of a list. Empty is NULL.
CREATE OR REPLACE MACRO label(value) AS
    nullif(trim(CASE json_type(value)
        WHEN 'OBJECT' THEN coalesce(value ->> '$.name', value ->> '$.summary', value ->> '$.value', value ->> '$.id')
        WHEN 'NULL' THEN NULL
        ELSE value ->> '$' END), '');
CREATE OR REPLACE MACRO cell(record, place) AS
    label(CASE WHEN json_type(json_extract(record, place)) = 'ARRAY' THEN json_extract(record, place || '[0]')
        ELSE json_extract(record, place) END);

-- All texts of a cell: those of a list or of a repeated column, each also split at a separator.
CREATE OR REPLACE MACRO cells(record, place, separator) AS
    list_filter(
        flatten(list_transform(
            CASE json_type(json_extract(record, place))
                WHEN 'ARRAY' THEN list_transform(json_extract(record, place || '[*]'), lambda v: label(v))
                ELSE [label(json_extract(record, place))] END,
            lambda t: list_transform(string_split(t, separator), lambda p: trim(p)))),
        lambda t: t <> '');

-- A time in one of several formats (a constant) as ISO 8601 without an offset. A text that none of them fits stays as it is.
CREATE OR REPLACE MACRO local_time(text, formats) AS
    coalesce(strftime(try_strptime(text, formats), '%Y-%m-%dT%H:%M:%S.%f'), text);
-- The same for a format with %z.
CREATE OR REPLACE MACRO offset_time(text, formats) AS
    coalesce(strftime(timezone('UTC', try_strptime(text, formats)::TIMESTAMPTZ), '%Y-%m-%dT%H:%M:%S.%fZ'), text);

-- Milliseconds since 1970 as ISO 8601. A text that is no such number stays as it is.
CREATE OR REPLACE MACRO epoch_time(text) AS
    coalesce(strftime(make_timestamp(try_cast(text AS BIGINT) * 1000), '%Y-%m-%dT%H:%M:%S.%fZ'), text);

-- The time that lies `amount` (a text) times `us` microseconds after another one. Without an offset and a configured zone it has none
-- either. NULL without an amount.
CREATE OR REPLACE MACRO time_after(started_at, amount, us) AS
    CASE
        WHEN try_cast(amount AS DOUBLE) IS NULL OR NOT isfinite(try_cast(amount AS DOUBLE)) THEN NULL
        WHEN getvariable('zone_known') OR regexp_matches(started_at, '\d\d:\d\d.*([Zz]|[+-]\d\d(:?\d\d)?)$')
            THEN strftime(timezone('UTC', try_cast(started_at AS TIMESTAMPTZ)
                + to_microseconds(round(try_cast(amount AS DOUBLE) * us)::BIGINT)), '%Y-%m-%dT%H:%M:%S.%fZ')
        ELSE strftime(try_cast(started_at AS TIMESTAMP) + to_microseconds(round(try_cast(amount AS DOUBLE) * us)::BIGINT),
            '%Y-%m-%dT%H:%M:%S.%f')
    END;
