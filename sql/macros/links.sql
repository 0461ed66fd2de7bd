-- Macros that read what a text names: addresses of records' pages and keys of tickets. They know the shapes that such pages have, not
-- whose they are; what a naming leads to is decided where all records are known.

-- The parts of an address. Without scheme and host all are empty.
CREATE OR REPLACE MACRO url_parts(url) AS regexp_extract(url,
    '^(?i:https?)://(?:[^/?#@\x00-\x20]*@)?([^/?#:@\x00-\x20]+)(:[0-9]*)?(/[^?#\x00-\x20]*)?(\?[^#\x00-\x20]*)?(#[^\x00-\x20]*)?$',
    ['host', 'port', 'path', 'query', 'fragment']);

-- The place that all addresses of one site share: host in lower case, without the label of the region and without a default port.
CREATE OR REPLACE MACRO url_site(parts) AS
    'https://' || regexp_replace(rtrim(lower(struct_extract(parts, 'host')), '.'), '(\.eu)+\.', '.', 'g')
    || CASE WHEN struct_extract(parts, 'port') IN (':', ':80', ':443') THEN '' ELSE struct_extract(parts, 'port') END;

-- The path of the page of a record, in the one form that all its pages have: of an issue `/browse/KEY`, whatever
-- the site has before that, of other records the list and the id. An id has a digit, or is six capitals or more: of random letters and
-- digits some have no digit. Empty where the path is that of no such page.
CREATE OR REPLACE MACRO record_path(path, query) AS
    CASE
        WHEN regexp_matches(query, '[?&]selectedIssue=[A-Za-z][A-Za-z0-9_]+-[0-9]+')
            THEN '/browse/' || upper(regexp_extract(query, '[?&]selectedIssue=([A-Za-z][A-Za-z0-9_]+-[0-9]+)', 1))
        WHEN regexp_matches(path, '/(?:browse|projects/.*/?issues|queues/.*|portal/[0-9]+)/[A-Za-z][A-Za-z0-9_]+-[0-9]+(?:[^A-Za-z0-9_-]|$)')
            THEN '/browse/' || upper(regexp_extract(path, '/([A-Za-z][A-Za-z0-9_]+-[0-9]+)(?:[^A-Za-z0-9_-]|$)', 1))
        WHEN regexp_matches(path,
            '/(?:incidents|issues|alerts|archives|(?:alert|incident)/(?:detail|show))/(?:[A-Za-z0-9_-]*[0-9]|[A-Z]{6,}(?:[^A-Za-z0-9_-]|$))')
            THEN replace(regexp_extract(path,
                '^(.*?/(?:incidents|issues|alerts|archives|(?:alert|incident)/(?:detail|show))/(?:[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*|[A-Z]{6,}))(?:[^A-Za-z0-9_-]|$)', 1),
                '/show/', '/detail/')
        WHEN regexp_matches(query, '[?&%]?sys_id(?:=|%3[Dd])[0-9A-Fa-f]{32}')
            THEN '/?sys_id=' || lower(regexp_extract(query, 'sys_id(?:=|%3[Dd])([0-9A-Fa-f]{32})', 1))
        ELSE ''
    END;

-- The page of a record that an address leads to: its anchors, tabs, comments and searches are the same page. NULL for other addresses.
CREATE OR REPLACE MACRO record_page(url) AS
    list_transform([url_parts(url)], lambda p:
        url_site(p) || nullif(record_path(struct_extract(p, 'path'), struct_extract(p, 'query')), ''))[1];

-- An address in the form in which two are compared. That of no known kind of page keeps what may tell it from others of the site: the
-- query, and the part after #/ where that is the path of an application. NULL for what is no address.
CREATE OR REPLACE MACRO canonical_url(url) AS coalesce(
    -- Most records have a page that is in this form already: one pattern tells, which is ten times faster than all of the rules.
    CASE WHEN NOT contains(url, '.eu.') AND regexp_full_match(url,
        'https://[a-z0-9-]+(?:\.[a-z0-9-]+)*/(?:browse/[A-Z][A-Z0-9_]+-[0-9]+|(?:incidents|alerts|archives|(?:alert|incident)/detail)/(?:[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*|[A-Z]{6,}))(?:/details)?')
        THEN CASE WHEN ends_with(url, '/details') THEN left(url, -8) ELSE url END END,
    list_transform([url_parts(trim(url))], lambda p:
        CASE WHEN struct_extract(p, 'host') <> '' THEN
            url_site(p) || coalesce(
                nullif(record_path(struct_extract(p, 'path'), struct_extract(p, 'query')), ''),
                rtrim(struct_extract(p, 'path'), '/')
                    || CASE WHEN length(struct_extract(p, 'query')) > 1 THEN struct_extract(p, 'query') ELSE '' END
                    || CASE WHEN regexp_matches(struct_extract(p, 'fragment'), '^#!?/') THEN struct_extract(p, 'fragment') ELSE '' END)
        END)[1]);

-- The addresses in a text, plain or in JSON, where a quotation mark or an escape ends one. What closes a sentence is no part of them.
CREATE OR REPLACE MACRO urls_in(text) AS
    list_transform(
        regexp_extract_all(replace(text, '\/', '/'), '(?i:https?)://[^\x00-\x20\x7f"\x27<>\\|,;`^(){}\[\]]+'),
        lambda found: rtrim(found, '.:!?*_~'));

-- Whether a text may name the page of a record: one look for what such pages have in their addresses. Most texts with addresses, such as
-- those of users and icons in JSON, end here.
CREATE OR REPLACE MACRO may_name_page(text) AS CASE WHEN contains(text, '://') OR contains(text, ':\/\/') THEN regexp_matches(text,
    '/(?:browse|projects|queues|portal|incidents|issues|alerts|archives|detail|show)\\?/|selectedIssue=|sys_id') ELSE false END;

-- The pages of records that a text names, each once. NULL where there is none.
CREATE OR REPLACE MACRO record_pages_in(text) AS
    CASE WHEN may_name_page(text) THEN nullif(list_sort(list_distinct(list_filter(
        list_transform(urls_in(text), lambda found: record_page(found)), lambda page: page IS NOT NULL))), []) END;

-- Whether a word is a key of a ticket: OPS-231.
CREATE OR REPLACE MACRO is_ticket_key(word) AS regexp_full_match(word, '[A-Z][A-Z0-9_]+-[1-9][0-9]*');

-- Whether a word has the shape of a key of a ticket or a short id of an error.
CREATE OR REPLACE MACRO is_key(word) AS regexp_full_match(word, '[A-Z]([A-Z0-9_-]*[A-Z0-9_])?-[1-9A-HJKMNP-TV-Z][0-9A-HJKMNP-TV-Z]*');

-- Whether a word can be a short id only.
CREATE OR REPLACE MACRO is_short_id(word) AS is_key(word) AND NOT is_ticket_key(word);

-- What looks like keys in a text, each once: a run of letters, digits, - and _ that is a key as a whole, outside of addresses. Keys of
-- tickets, and short ids of errors such as CHECKOUT-1A2: the name of a project, which may have a -, and a number of the base 32, which has
-- no I, L, O and U. UTF-8 and SHA-2AB look like some too: only keys of known projects count, and short ids of known issues. NULL where
-- there is none.
CREATE OR REPLACE MACRO keys_in(text) AS
    CASE WHEN regexp_matches(text, '[A-Z0-9_]-[1-9A-HJKMNP-TV-Z]') THEN
        nullif(list_sort(list_distinct(list_filter(
            regexp_extract_all(
                regexp_replace(text, '(?i:https?)://[^\x00-\x20]*', ' ', 'g'), '[A-Za-z0-9_-]*[A-Z0-9_]-[1-9A-HJKMNP-TV-Z][A-Za-z0-9_-]*'),
            lambda found: is_key(found)))), [])
    END;

-- Whether a value is one address or one key and nothing else: then it is a field for it, and no text that may name several.
CREATE OR REPLACE MACRO names_one(text) AS
    regexp_full_match(trim(text), '(?i:https?)://[^\x00-\x20]+|[A-Z][A-Z0-9_]+-[1-9][0-9]*');

-- The pages of records that several texts name, each with the place in which it stands: what raw tables keep of texts that stay in the
-- landing zone. A text is a struct of place, text_id and text. All go through one expression, which is planned once.
CREATE OR REPLACE MACRO named_in(texts) AS
    flatten(list_transform(
        list_filter(texts, lambda t: may_name_page(t."text")),
        lambda t: coalesce(list_transform(
            record_pages_in(t."text"), lambda page: {'place': t.place, 'text_id': t.text_id, 'url': page}), [])));

-- The class of an address or key that stands in a place.
CREATE OR REPLACE MACRO link_reason(place, target_kind) AS CASE WHEN place IN ('note', 'comment', 'message') THEN 'text' ELSE target_kind END;

-- Everything that a text names, each as the kind of target and the target. Keys count in some places only.
CREATE OR REPLACE MACRO targets_in(text, reads_keys) AS list_concat(
    list_transform(record_pages_in(text), lambda page: {'target_kind': 'url', 'target': page}),
    CASE WHEN reads_keys THEN list_transform(keys_in(text), lambda key: {'target_kind': 'key', 'target': key}) END);

-- Those of free key-value pairs, the values as JSON, that may name something.
CREATE OR REPLACE MACRO naming_details(details) AS
    list_filter(map_entries(details), lambda d: regexp_matches(d.value::VARCHAR, '://|[A-Z0-9_]-[1-9A-Z]'));
