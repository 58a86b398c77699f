//! Resources. Columns stand in the order of the fields, after the number.

statements! {
    NUMBER = "SELECT number FROM resource WHERE id = $1";
    NAME = "SELECT id FROM resource WHERE number = $1";
    COUNT = "SELECT count(*) FROM resource";
    GET = "SELECT number, id, name, status, access_token_alg FROM resource WHERE id = $1";
    LIST = "SELECT number, id, name, status, access_token_alg FROM resource \
        WHERE id > $1 AND (CAST($2 AS BIGINT) = 0 OR status = $2) ORDER BY id LIMIT $3";
    INSERT = "INSERT INTO resource (id, name, status, access_token_alg, built_in) \
        VALUES ($1, $2, $3, $4, 0) RETURNING number";
    UPDATE = "UPDATE resource SET name = $1, status = $2, access_token_alg = $3 WHERE number = $4";
    DELETE = "DELETE FROM resource WHERE number = $1";
    IN_USE = "SELECT a.id FROM application_resource s JOIN application a ON a.number = s.application_no \
        WHERE s.resource_no = $1 ORDER BY a.id LIMIT 1";
    BUILT_IN = "SELECT number FROM resource WHERE built_in = 1";
    INSERT_BUILT_IN = "INSERT INTO resource (id, name, status, access_token_alg, built_in) \
        VALUES ($1, $2, 1, 1, 1) RETURNING number";
    RENAME = "UPDATE resource SET id = $1 WHERE number = $2";
    ALGORITHMS = "SELECT DISTINCT access_token_alg FROM resource WHERE status = 1 ORDER BY access_token_alg";
}
