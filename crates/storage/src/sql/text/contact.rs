//! Contacts. Columns stand in the order of the fields, after the number.

macro_rules! whole {
    ($rest:literal) => {
        concat!(
            "SELECT c.number, c.id, d.email_address, d.first_name, d.last_name, d.name, c.status, \
             d.language, d.locale, d.time_zone, d.country_code, d.country_name, d.address_line_1, \
             d.address_line_2, d.city, d.post_code, d.home_contact_number, d.mobile_contact_number, \
             d.work_contact_number, d.password_reset_required \
             FROM contact c JOIN contact_detail d ON d.number = c.number ",
            $rest
        )
    };
}

statements! {
    NUMBER = "SELECT number FROM contact WHERE id = $1";
    NAME = "SELECT id FROM contact WHERE number = $1";
    COUNT = "SELECT count(*) FROM contact";
    GET = whole!("WHERE c.id = $1");
    LIST = whole!(
        "WHERE c.id > $1 AND (CAST($2 AS BIGINT) = 0 OR c.status = $2) ORDER BY c.id LIMIT $3"
    );
    INSERT = "INSERT INTO contact (id, status) VALUES ($1, $2) RETURNING number";
    UPDATE = "UPDATE contact SET status = $1 WHERE number = $2";
    DELETE = "DELETE FROM contact WHERE number = $1";
    INSERT_DETAIL = "INSERT INTO contact_detail (email_address, first_name, last_name, name, language, \
        locale, time_zone, country_code, country_name, address_line_1, address_line_2, city, post_code, \
        home_contact_number, mobile_contact_number, work_contact_number, password_reset_required, number) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
    UPDATE_DETAIL = "UPDATE contact_detail SET email_address = $1, first_name = $2, last_name = $3, \
        name = $4, language = $5, locale = $6, time_zone = $7, country_code = $8, country_name = $9, \
        address_line_1 = $10, address_line_2 = $11, city = $12, post_code = $13, \
        home_contact_number = $14, mobile_contact_number = $15, work_contact_number = $16, \
        password_reset_required = $17 WHERE number = $18";
    DELETE_DETAIL = "DELETE FROM contact_detail WHERE number = $1";
}
