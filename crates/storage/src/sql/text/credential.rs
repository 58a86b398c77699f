//! Secrets, certificates and keys of applications and resources.

statements! {
    LIST = "SELECT number, kind, created_at_ms, expires_at_ms, CASE WHEN kind = 1 THEN NULL ELSE value END \
        FROM credential WHERE owner = $1 AND owner_no = $2 ORDER BY number";
    LIVE = "SELECT number, value FROM credential WHERE owner = $1 AND owner_no = $2 AND kind = $3 \
        AND (expires_at_ms IS NULL OR expires_at_ms > $4) ORDER BY number";
    INSERT = "INSERT INTO credential (owner, owner_no, kind, value, created_at_ms, expires_at_ms) \
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING number";
    DELETE = "DELETE FROM credential WHERE owner = $1 AND owner_no = $2 AND kind = $3 AND number = $4";
    DELETE_OVER = "DELETE FROM credential WHERE owner = $1 AND owner_no = $2 AND kind = $3 \
        AND expires_at_ms <= $4";
    DELETE_KIND = "DELETE FROM credential WHERE owner = $1 AND owner_no = $2 AND kind = $3";
    DELETE_ALL = "DELETE FROM credential WHERE owner = $1 AND owner_no = $2";
    COUNT_EXPIRING = "SELECT count(*) FROM credential c WHERE c.expires_at_ms < $1 AND ( \
        c.owner = 1 AND EXISTS (SELECT 1 FROM application a WHERE a.number = c.owner_no AND a.status = 1) \
        OR c.owner = 6 AND EXISTS (SELECT 1 FROM resource r WHERE r.number = c.owner_no AND r.status = 1))";
}
