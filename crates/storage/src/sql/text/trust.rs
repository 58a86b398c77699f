//! Trusts. Columns stand in the order of the fields, after the numbers of application and client.

macro_rules! whole {
    ($rest:literal) => {
        concat!(
            "SELECT t.application_no, t.client_no, c.id, a.id, t.contacts, t.ceiling, t.from_at, \
             t.until_at, t.status, t.reason FROM trust t JOIN application a ON a.number = t.application_no \
             JOIN client c ON c.number = t.client_no ",
            $rest
        )
    };
}

statements! {
    COUNT = "SELECT count(*) FROM trust";
    GET = whole!("WHERE t.application_no = $1 AND t.client_no = $2");
    LIST = whole!(
        "WHERE (t.application_no, t.client_no) > ($1, $2) AND (CAST($3 AS BIGINT) = 0 OR t.status = $3) \
         ORDER BY t.application_no, t.client_no LIMIT $4"
    );
    LIST_IN_APPLICATION = whole!(
        "WHERE t.application_no = $1 AND t.client_no > $2 AND (CAST($3 AS BIGINT) = 0 OR t.status = $3) \
         ORDER BY t.client_no LIMIT $4"
    );
    LIST_OF_CLIENT = whole!(
        "WHERE t.client_no = $1 AND t.application_no > $2 AND (CAST($3 AS BIGINT) = 0 OR t.status = $3) \
         ORDER BY t.application_no LIMIT $4"
    );
    INSERT = "INSERT INTO trust (contacts, ceiling, from_at, until_at, status, reason, application_no, \
        client_no) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    UPDATE = "UPDATE trust SET contacts = $1, ceiling = $2, from_at = $3, until_at = $4, status = $5, \
        reason = $6 WHERE application_no = $7 AND client_no = $8";
    DELETE = "DELETE FROM trust WHERE application_no = $1 AND client_no = $2";
    DELETE_IN_APPLICATION = "DELETE FROM trust WHERE application_no = $1 RETURNING application_no, client_no";
    DELETE_OF_CLIENT = "DELETE FROM trust WHERE client_no = $1 RETURNING application_no, client_no";
}
