//! The version, changes, marks, former names and facts.

statements! {
    NEXT_VERSION = "UPDATE version SET version = version + 1 RETURNING version";
    VERSION = "SELECT version FROM version";
    INSERT_CHANGE = "INSERT INTO change (version, at_ms, actor, entity, action, number, client_no, reason, \
        actor_application, actor_contact, subject) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    CHANGES_AFTER = "SELECT seq, version, at_ms, actor, entity, action, number, client_no, reason, \
        actor_application, actor_contact, subject FROM change WHERE seq > $1 ORDER BY seq LIMIT $2";
    TRIM_CHANGES = "DELETE FROM change WHERE seq <= $1 AND seq < (SELECT max(seq) FROM change)";
    COUNT_CHANGES = "SELECT count(*) FROM change";
    LAST_CHANGE = "SELECT max(seq) FROM change";
    FORGET_REASONS = "UPDATE change SET reason = NULL WHERE entity IN (3, 4) AND number = $1 \
        AND reason IS NOT NULL";
    INSERT_MARK = "INSERT INTO mark (kind, subject, number, client_no, version, keep_until, application) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    COUNT_MARKS = "SELECT kind, count(*) FROM mark GROUP BY kind ORDER BY kind";
    IS_MARKED = "SELECT seq FROM mark WHERE subject = $1 LIMIT 1";
    TOKENS_OF_APPLICATION = "SELECT count(*), max(keep_until) FROM mark WHERE application = $1 AND kind = 1";
    DELETE_TOKENS_OF_APPLICATION = "DELETE FROM mark WHERE application = $1 AND kind = 1";
    SWEEP_MARKS = "DELETE FROM mark WHERE keep_until < $1";
    INSERT_FORMER_NAME = "INSERT INTO former_name (entity, number, id) VALUES ($1, $2, $3)";
    FORMER_NAME = "SELECT id FROM former_name WHERE entity = $1 AND number = $2";
    FORMER_NUMBERS = "SELECT number FROM former_name WHERE entity = $1 AND id = $2 ORDER BY number";
    DELETE_FORMER_NAMES = "DELETE FROM former_name WHERE entity = $1 AND id = $2";
    FACT = "SELECT value FROM fact WHERE name = $1";
    INSERT_FACT = "INSERT INTO fact (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    SET_FACT = "INSERT INTO fact (name, value) VALUES ($1, $2) \
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    NEWEST_MIGRATION = "SELECT max(name) FROM schema_migration";
}
