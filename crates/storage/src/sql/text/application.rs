//! Applications. Columns stand in the order of the fields, after the number.

macro_rules! whole {
    ($rest:literal) => {
        concat!(
            "SELECT a.number, a.id, a.name, a.trusted, a.status, \
             (SELECT string_agg(r.id, ' ' ORDER BY s.position) FROM application_resource s \
             JOIN resource r ON r.number = s.resource_no WHERE s.application_no = a.number), \
             a.id_token_alg, a.auth_methods, a.certificate, a.certificate_bound_tokens, a.certificate_subject_dn, \
             a.certificate_san_dns, a.certificate_san_uri, a.certificate_san_ip, a.certificate_san_email, \
             a.jwks_uri, a.assertion_audience, a.assertion_alg, a.dpop_bound_access_tokens, a.profile \
             FROM application a ",
            $rest
        )
    };
}

statements! {
    NUMBER = "SELECT number FROM application WHERE id = $1";
    NAME = "SELECT id FROM application WHERE number = $1";
    COUNT = "SELECT count(*) FROM application";
    GET = whole!("WHERE a.id = $1");
    LIST = whole!(
        "WHERE a.id > $1 AND (CAST($2 AS BIGINT) = 0 OR a.status = $2) ORDER BY a.id LIMIT $3"
    );
    INSERT = "INSERT INTO application (id, name, trusted, status, id_token_alg, \
        auth_methods, certificate, certificate_bound_tokens, certificate_subject_dn, \
        certificate_san_dns, certificate_san_uri, certificate_san_ip, certificate_san_email, \
        jwks_uri, assertion_audience, assertion_alg, dpop_bound_access_tokens, profile) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
        RETURNING number";
    UPDATE = "UPDATE application SET name = $1, trusted = $2, status = $3, id_token_alg = $4, auth_methods = $5, \
        certificate = $6, certificate_bound_tokens = $7, certificate_subject_dn = $8, certificate_san_dns = $9, certificate_san_uri = $10, \
        certificate_san_ip = $11, certificate_san_email = $12, jwks_uri = $13, assertion_audience = $14, assertion_alg = $15, \
        dpop_bound_access_tokens = $16, profile = $17 WHERE number = $18";
    DELETE = "DELETE FROM application WHERE number = $1";
    DELETE_RESOURCES = "DELETE FROM application_resource WHERE application_no = $1";
    INSERT_RESOURCE = "INSERT INTO application_resource (application_no, position, resource_no) VALUES ($1, $2, $3)";
    ALGORITHMS = "SELECT DISTINCT id_token_alg FROM application WHERE status = 1 ORDER BY id_token_alg";
}
