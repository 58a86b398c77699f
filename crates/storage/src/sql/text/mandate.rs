//! Mandates. Columns stand in the order of the fields, after the numbers of contact and client.

macro_rules! whole {
    ($rest:literal) => {
        concat!(
            "SELECT m.contact_no, m.client_no, p.id, c.id, m.permissions, m.from_at, m.until_at, \
             m.status, m.has_online_access FROM mandate m JOIN contact p ON p.number = m.contact_no \
             JOIN client c ON c.number = m.client_no ",
            $rest
        )
    };
}

statements! {
    COUNT = "SELECT count(*) FROM mandate";
    GET = whole!("WHERE m.contact_no = $1 AND m.client_no = $2");
    LIST = whole!(
        "WHERE (m.contact_no, m.client_no) > ($1, $2) AND (CAST($3 AS BIGINT) = 0 OR m.status = $3) \
         ORDER BY m.contact_no, m.client_no LIMIT $4"
    );
    LIST_OF_CONTACT = whole!(
        "WHERE m.contact_no = $1 AND m.client_no > $2 AND (CAST($3 AS BIGINT) = 0 OR m.status = $3) \
         ORDER BY m.client_no LIMIT $4"
    );
    LIST_OVER_CLIENT = whole!(
        "WHERE m.client_no = $1 AND m.contact_no > $2 AND (CAST($3 AS BIGINT) = 0 OR m.status = $3) \
         ORDER BY m.contact_no LIMIT $4"
    );
    INSERT = "INSERT INTO mandate (permissions, from_at, until_at, status, has_online_access, \
        contact_no, client_no) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    UPDATE = "UPDATE mandate SET permissions = $1, from_at = $2, until_at = $3, status = $4, \
        has_online_access = $5 WHERE contact_no = $6 AND client_no = $7";
    DELETE = "DELETE FROM mandate WHERE contact_no = $1 AND client_no = $2";
    DELETE_OF_CONTACT = "DELETE FROM mandate WHERE contact_no = $1 RETURNING contact_no, client_no";
    DELETE_OVER_CLIENT = "DELETE FROM mandate WHERE client_no = $1 RETURNING contact_no, client_no";
}
