//! Clients. Columns stand in the order of the fields, after the number.

macro_rules! whole {
    ($rest:literal) => {
        concat!(
            "SELECT c.number, c.id, c.client_name, d.brand_name, c.status, d.address_line_1, \
             d.address_line_2, d.city, d.post_code, d.state_province \
             FROM client c JOIN client_detail d ON d.number = c.number ",
            $rest
        )
    };
}

statements! {
    NUMBER = "SELECT number FROM client WHERE id = $1";
    NAME = "SELECT id FROM client WHERE number = $1";
    COUNT = "SELECT count(*) FROM client";
    GET = whole!("WHERE c.id = $1");
    LIST = whole!(
        "WHERE c.id > $1 AND (CAST($2 AS BIGINT) = 0 OR c.status = $2) ORDER BY c.id LIMIT $3"
    );
    INSERT = "INSERT INTO client (id, client_name, status) VALUES ($1, $2, $3) RETURNING number";
    UPDATE = "UPDATE client SET client_name = $1, status = $2 WHERE number = $3";
    DELETE = "DELETE FROM client WHERE number = $1";
    INSERT_DETAIL = "INSERT INTO client_detail (brand_name, address_line_1, address_line_2, city, \
        post_code, state_province, number) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    UPDATE_DETAIL = "UPDATE client_detail SET brand_name = $1, address_line_1 = $2, \
        address_line_2 = $3, city = $4, post_code = $5, state_province = $6 WHERE number = $7";
    DELETE_DETAIL = "DELETE FROM client_detail WHERE number = $1";
}
