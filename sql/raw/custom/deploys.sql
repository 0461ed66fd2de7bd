/*
description = """The newest version of each custom deploy (`mttr import`), checked: a deploy with a bad value is not used at all, and the
reason names every field that is wrong."""
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "the deploy's own id"
service = "service as written"
environment = "environment as written; production where nothing is written"
version = "version"
sha = "commit"
ref = "branch or tag"
repo = "repository"
title = "title"
status = "success, failure, cancelled or rolled_back; success where it is finished and nothing is written"
started_at = "when work on it began"
finished_at = "when it was over"
url = "link to the deploy"
rollback_of = "external_id of the deploy that it takes back"
caused = "external_ids, keys or addresses of the incidents that it caused"
updated_at = "which of two versions is the newer; without it the later import"
reject_reason = "why the record cannot be used"
landed_in = "landing file, then file and line of the import"
*/
WITH lines AS (
    SELECT
        record, unreadable, reason, zone,
        coalesce(given_text(record.external_id), given_text(id)) AS external_id,
        list_transform(list_transform(
            [record.service, record.environment, record.version, record.sha, record.ref, record.repo, record.title],
            lambda t: CASE WHEN starts_with(t, '[') OR starts_with(t, '{') THEN plain_text(t) ELSE t END),
            lambda t: given_text(t)) AS texts,
        replace(replace(lower(given_text(record.status)), '-', '_'), ' ', '_') AS status,
        CASE json_type(record.caused)
            WHEN 'ARRAY' THEN json_transform(record.caused, '["VARCHAR"]')
            WHEN 'VARCHAR' THEN string_split(record.caused ->> '$', ',')
        END AS caused,
        list_transform(
            [
                {'name': 'started_at', 'text': given_text(record.started_at)},
                {'name': 'finished_at', 'text': given_text(record.finished_at)},
                {'name': 'updated_at', 'text': given_text(record.updated_at)}
            ],
            lambda s: struct_pack("name" := s.name, "text" := s.text, happened_at := instant(s.text, zone))
        ) AS stamps,
        landed_in || coalesce(' (' || file || ':' || line || ')', '') AS landed_in
    FROM landed({
        file: 'VARCHAR', line: 'BIGINT', id: 'VARCHAR', unreadable: 'VARCHAR', reason: 'VARCHAR',
        record: 'STRUCT(external_id VARCHAR, service VARCHAR, environment VARCHAR, "version" VARCHAR, sha VARCHAR, ref VARCHAR,
            repo VARCHAR, title VARCHAR, status VARCHAR, started_at VARCHAR, finished_at VARCHAR, url VARCHAR, rollback_of VARCHAR,
            caused JSON, updated_at VARCHAR)'
    })
    CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
),
judged AS (
    SELECT
        *,
        list_concat(
            [
                CASE WHEN external_id IS NULL THEN 'external_id is missing' END,
                no_text('external_id', record.external_id, NULL),
                no_text('service', record.service, texts[1]),
                no_text('environment', record.environment, texts[2]),
                no_text('version', record.version, texts[3]),
                no_text('sha', record.sha, texts[4]),
                no_text('ref', record.ref, texts[5]),
                no_text('repo', record.repo, texts[6]),
                no_text('title', record.title, texts[7]),
                no_text('url', record.url, NULL),
                no_text('rollback_of', record.rollback_of, NULL),
                CASE WHEN status NOT IN ('success', 'failure', 'cancelled', 'rolled_back')
                    THEN 'status is none of success, failure, cancelled, rolled_back: ' || left(record.status, 40) END,
                CASE WHEN stamps[2].text IS NULL AND (status IS NOT NULL OR stamps[1].text IS NULL)
                    THEN 'finished_at is missing: a deploy without it is not over, and has a started_at and no status' END,
                CASE WHEN stamps[1].happened_at > stamps[2].happened_at THEN 'finished_at is before started_at' END,
                CASE WHEN trim(record.rollback_of) = external_id THEN 'rollback_of is the deploy itself' END,
                CASE WHEN json_type(record.caused) NOT IN ('ARRAY', 'VARCHAR', 'NULL')
                    THEN 'caused is no list: ' || left(record.caused::VARCHAR, 40) END
            ],
            list_transform(
                stamps, lambda s: CASE WHEN s.text IS NOT NULL THEN instant_problem(s.name, s.text, s.happened_at) END
            )
        ) AS problems
    FROM lines
)
SELECT
    external_id,
    texts[1] AS service,
    coalesce(texts[2], 'production') AS environment,
    texts[3] AS version,
    texts[4] AS sha,
    texts[5] AS ref,
    texts[6] AS repo,
    texts[7] AS title,
    coalesce(status, CASE WHEN stamps[2].happened_at IS NOT NULL THEN 'success' END) AS status,
    stamps[1].happened_at AS started_at,
    stamps[2].happened_at AS finished_at,
    given_text(record.url) AS url,
    given_text(record.rollback_of) AS rollback_of,
    list_filter(list_transform(caused, lambda c: given_text(c)), lambda c: c IS NOT NULL) AS caused,
    stamps[3].happened_at AS updated_at,
    CASE
        WHEN unreadable IS NOT NULL THEN unreadable_reason(reason, unreadable)
        ELSE nullif(array_to_string(list_filter(problems, lambda p: p IS NOT NULL), '; '), '')
    END AS reject_reason,
    landed_in
FROM judged
