//! Signing keys.

statements! {
    LIST = "SELECT number, kid, algorithm, purpose, state, announced_at, signing_from, retired_at, \
        gone_at, sealed, public_jwk, endorsement FROM signing_key ORDER BY number";
    GET = "SELECT state, purpose, algorithm, kid FROM signing_key WHERE number = $1";
    NAME = "SELECT kid FROM signing_key WHERE number = $1";
    COUNT = "SELECT count(*) FROM signing_key";
    WITH_KID = "SELECT number FROM signing_key WHERE kid = $1";
    IN_STATE = "SELECT number FROM signing_key WHERE purpose = $1 AND algorithm = $2 AND state = $3 \
        ORDER BY number";
    INSERT = "INSERT INTO signing_key (kid, algorithm, purpose, state, announced_at, signing_from, sealed, \
        public_jwk, endorsement) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING number";
    SIGN = "UPDATE signing_key SET state = 2, signing_from = $1 WHERE number = $2";
    RETIRE = "UPDATE signing_key SET state = 3, retired_at = $1 WHERE number = $2";
    END = "UPDATE signing_key SET state = $1, gone_at = $2, sealed = NULL WHERE number = $3";
    WITH_SEALED = "SELECT number FROM signing_key WHERE sealed IS NOT NULL ORDER BY number";
    REWRAP = "UPDATE signing_key SET sealed = $1 WHERE number = $2";
}
