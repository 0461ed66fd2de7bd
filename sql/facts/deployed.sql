/*
description = """Every production deploy that ran, as numbers: successful ones, and those that were rolled back. A deploy that failed or was cancelled
before it ran is none."""
not_null = ["deploy_no", "service_id", "team_id", "finished_us", "has_failed", "is_rework", "tells"]
unique = [["deploy_no"]]

[columns]
deploy_no = "the deploy, as in core.deploys"
service_id = "member_id of its service in core.delivery_members"
team_id = "member_id of its team"
finished_us = "when it was over, in microseconds since 1970"
lead_us = "microseconds from the author date of its earliest commit; NULL where that or the finish is not known exactly, or where it is later than the finish"
has_failed = "whether it introduced an incident or was rolled back"
is_rework = "whether it repairs, as in core.reworks"
tells = "whether it carries what rework is recognised by: a version, a commit, a title or a note"
n_incidents = "incidents that it introduced"
recovered_us = "microseconds from its finish until all incidents that it introduced were mitigated, else resolved, or until as_of while one is open; NULL without an incident, where the finish is not exact, where a stamp is before it or an incident is over at an unknown time"
is_recovered = "whether all of them are over; NULL where recovered_us is"
*/
WITH introduced AS (
    SELECT
        l.deploy_no,
        count(*) AS n,
        bool_and(i.mitigated_at IS NOT NULL OR i.resolved_at IS NOT NULL) AS is_recovered,
        bool_or(coalesce(i.mitigated_at, i.resolved_at) IS NULL AND status_is_over(i.status)) AS is_unknown,
        max(coalesce(epoch_us(i.mitigated_at), epoch_us(i.resolved_at), epoch_us(run.as_of))) AS until_us,
        min(coalesce(epoch_us(i.mitigated_at), epoch_us(i.resolved_at), epoch_us(run.as_of))) AS first_us
    FROM core.incident_deploys AS l
    JOIN core.incidents AS i ON i.incident_id = l.incident_id
    CROSS JOIN config.run AS run
    GROUP BY l.deploy_no
),
told AS (
    SELECT r.deploy_no, bool_or(len(r.texts) > 0) AS has_texts
    FROM (
        SELECT coalesce(g.deploy_no, r.record_no) AS deploy_no, r.texts
        FROM core.deploy_records AS r LEFT JOIN core.deploy_groups AS g ON g.record_no = r.record_no
    ) AS r
    GROUP BY r.deploy_no
),
ran AS (
    SELECT d.*, epoch_us(d.finished_at) AS finished_us, d.finished_precision IN ('exact', 'job') AS is_exact, m.team
    FROM core.deploys AS d
    LEFT JOIN core.owners AS m ON m.service = d.service
    WHERE d.is_production AND d.status IN ('success', 'rolled_back') AND d.finished_at IS NOT NULL
)
SELECT
    d.deploy_no,
    service.member_id AS service_id,
    team.member_id AS team_id,
    d.finished_us,
    CASE WHEN d.is_exact AND d.first_commit_at <= d.finished_at THEN d.finished_us - epoch_us(d.first_commit_at) END AS lead_us,
    i.deploy_no IS NOT NULL OR d.was_rolled_back AS has_failed,
    w.deploy_no IS NOT NULL AS is_rework,
    d.version IS NOT NULL OR d.sha IS NOT NULL OR d.title IS NOT NULL OR d.is_rollback OR coalesce(told.has_texts, false) AS tells,
    i.n AS n_incidents,
    CASE WHEN d.is_exact AND NOT i.is_unknown AND i.first_us >= d.finished_us THEN i.until_us - d.finished_us END AS recovered_us,
    CASE WHEN d.is_exact AND NOT i.is_unknown AND i.first_us >= d.finished_us THEN i.is_recovered END AS is_recovered
FROM ran AS d
JOIN core.delivery_members AS service ON service.scope = 'service' AND service.scope_value = coalesce(d.service, 'unknown')
JOIN core.delivery_members AS team ON team.scope = 'team' AND team.scope_value = coalesce(d.team, 'unknown')
LEFT JOIN introduced AS i ON i.deploy_no = d.deploy_no
LEFT JOIN core.reworks AS w ON w.deploy_no = d.deploy_no
LEFT JOIN told ON told.deploy_no = d.deploy_no
