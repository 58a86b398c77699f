//! Secrets of applications and resources.

statements! {
    LIST = "SELECT number, created_at_ms, expires_at_ms FROM secret WHERE owner = $1 AND owner_no = $2 \
        ORDER BY number";
    COUNT_LIVE = "SELECT count(*) FROM secret WHERE owner = $1 AND owner_no = $2 \
        AND (expires_at_ms IS NULL OR expires_at_ms > $3)";
    INSERT = "INSERT INTO secret (owner, owner_no, hash, created_at_ms) VALUES ($1, $2, $3, $4) \
        RETURNING number";
    DELETE = "DELETE FROM secret WHERE owner = $1 AND owner_no = $2 AND number = $3";
    DELETE_ALL = "DELETE FROM secret WHERE owner = $1 AND owner_no = $2";
}
