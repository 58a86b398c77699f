//! Whole records as the API shows them.

use procura_protocol::contacts::{Client, ClientStatus, Contact};
use procura_protocol::ids::{ClientId, ContactId};
use procura_protocol::permission::Permissions;
use procura_store::fields::Row;

/// A client; `None` when a field that every client has can't be read.
pub(super) fn client(row: &Row) -> Option<Client> {
    Some(Client {
        client_id: ClientId::parse(text(row, "client_id")?).ok()?,
        client_name: text(row, "client_name")?.to_owned(),
        brand_name: owned(row, "brand_name").unwrap_or_default(),
        status: ClientStatus::from_name(text(row, "status")?)?,
        address_line_1: owned(row, "address_line_1"),
        address_line_2: owned(row, "address_line_2"),
        city: owned(row, "city"),
        post_code: owned(row, "post_code"),
        state_province: owned(row, "state_province"),
    })
}

/// A contact with their mandate; what belongs to the person only if that may be seen.
pub(super) fn contact(person: &Row, mandate: &Row, sees_person: bool) -> Option<Contact> {
    let personal = |name| if sees_person { owned(person, name) } else { None };
    Some(Contact {
        contact_id: ContactId::parse(text(person, "contact_id")?).ok()?,
        email_address: owned(person, "email_address").unwrap_or_default(),
        first_name: owned(person, "first_name"),
        last_name: owned(person, "last_name"),
        name: owned(person, "name"),
        home_contact_number: personal("home_contact_number"),
        mobile_contact_number: personal("mobile_contact_number"),
        work_contact_number: personal("work_contact_number"),
        address_line_1: personal("address_line_1"),
        address_line_2: personal("address_line_2"),
        city: personal("city"),
        post_code: personal("post_code"),
        country_code: personal("country_code"),
        country_name: personal("country_name"),
        language: personal("language"),
        locale: personal("locale"),
        time_zone: personal("time_zone"),
        password_reset_required: sees_person.then(|| is_true(person, "password_reset_required")),
        has_online_access: is_true(mandate, "has_online_access"),
        permissions: permissions(mandate)?,
    })
}

/// What a mandate allows.
pub(super) fn permissions(mandate: &Row) -> Option<Permissions> {
    Permissions::parse(text(mandate, "permissions").unwrap_or_default()).ok()
}

/// Whether a flag of a record is set.
pub(super) fn is_true(row: &Row, name: &str) -> bool {
    text(row, name) == Some("true")
}

fn text<'r>(row: &'r Row, name: &str) -> Option<&'r str> {
    row.get(name).flatten()
}

fn owned(row: &Row, name: &str) -> Option<String> {
    text(row, name).map(str::to_owned)
}
