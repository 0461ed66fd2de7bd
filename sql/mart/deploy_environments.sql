/*
description = """The environments that deploys go to, and which of them count as production. One row per source and name; a deploy of which several tools
tell counts under its most precise record, as in deploys."""
published = true
like = "core.deploys"
not_null = ["source", "is_production", "is_mapped", "deploys"]
unique = [["source", "environment"]]

[assert]
production_is_mapped = "is_mapped OR NOT is_production"

[columns]
source = "="
environment = "="
is_production = "whether deploys to it count in delivery"
is_mapped = "whether a default or a line of mttr.toml says what it is; what is not mapped is not production"
setting = "line of mttr.toml that says what it is; NULL for a default, and where nothing does"
deploys = "deploys to it, whatever became of them"
*/
SELECT d.source, d.environment, d.is_production, w.word IS NOT NULL AS is_mapped, w.setting, d.deploys
FROM (
    SELECT source, environment, is_production, count(*) AS deploys
    FROM core.deploys
    GROUP BY source, environment, is_production
) AS d
LEFT JOIN config.words AS w ON w.kind = 'environment' AND w.source = d.source AND w.word = normalized(d.environment)
ORDER BY d.source, d.deploys DESC, d.environment
