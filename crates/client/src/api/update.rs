//! What to change of a contact.

use std::collections::BTreeMap;

use procura_protocol::permission::Permission;
use serde_json::Value;

/// A change of a contact (contract, chapter 4: `ContactUpdate`). Only what is set here is sent, and what is
/// not sent stays as it is.
///
/// ```
/// use procura_client::{ContactUpdate, Permission};
///
/// let update = ContactUpdate::new().permission(Permission::Trade, false).online_access(true);
/// assert_eq!(update.to_json(), r#"{"can_trade":false,"has_online_access":true}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContactUpdate {
    members: BTreeMap<&'static str, Value>,
}

impl ContactUpdate {
    /// A change of nothing.
    pub fn new() -> ContactUpdate {
        ContactUpdate::default()
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Gives or takes a permission of the contact's mandate for the client.
    #[must_use]
    pub fn permission(self, permission: Permission, held: bool) -> ContactUpdate {
        self.with(permission.name(), Value::from(held))
    }

    /// `has_online_access`, of the mandate too.
    #[must_use]
    pub fn online_access(self, held: bool) -> ContactUpdate {
        self.with("has_online_access", Value::from(held))
    }

    /// `language`: an ISO 639-1 code, for instance `en`. The person's own, as everything below: it takes a
    /// token of a person who signed in. An empty text clears a member.
    #[must_use]
    pub fn language(self, code: &str) -> ContactUpdate {
        self.with("language", Value::from(code))
    }

    /// `locale`: two small letters.
    #[must_use]
    pub fn locale(self, code: &str) -> ContactUpdate {
        self.with("locale", Value::from(code))
    }

    /// `time_zone`, for instance `Europe/Warsaw`.
    #[must_use]
    pub fn time_zone(self, name: &str) -> ContactUpdate {
        self.with("time_zone", Value::from(name))
    }

    /// `home_contact_number`: a phone at home.
    #[must_use]
    pub fn home_contact_number(self, number: &str) -> ContactUpdate {
        self.with("home_contact_number", Value::from(number))
    }

    /// `mobile_contact_number`: a phone on the move.
    #[must_use]
    pub fn mobile_contact_number(self, number: &str) -> ContactUpdate {
        self.with("mobile_contact_number", Value::from(number))
    }

    /// `work_contact_number`: a phone at work.
    #[must_use]
    pub fn work_contact_number(self, number: &str) -> ContactUpdate {
        self.with("work_contact_number", Value::from(number))
    }

    /// `address_line_1`: the first line of the address.
    #[must_use]
    pub fn address_line_1(self, line: &str) -> ContactUpdate {
        self.with("address_line_1", Value::from(line))
    }

    /// `address_line_2`: the second line of the address.
    #[must_use]
    pub fn address_line_2(self, line: &str) -> ContactUpdate {
        self.with("address_line_2", Value::from(line))
    }

    /// `city` of the address.
    #[must_use]
    pub fn city(self, name: &str) -> ContactUpdate {
        self.with("city", Value::from(name))
    }

    /// `post_code` of the address.
    #[must_use]
    pub fn post_code(self, code: &str) -> ContactUpdate {
        self.with("post_code", Value::from(code))
    }

    /// `country_code`: two capital letters, for instance `PL`.
    #[must_use]
    pub fn country_code(self, code: &str) -> ContactUpdate {
        self.with("country_code", Value::from(code))
    }

    /// `country_name` of the address.
    #[must_use]
    pub fn country_name(self, name: &str) -> ContactUpdate {
        self.with("country_name", Value::from(name))
    }

    /// The body of the request.
    pub fn to_json(&self) -> String {
        let members = self.members.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Value::Object(members.collect()).to_string()
    }

    fn with(mut self, name: &'static str, value: Value) -> ContactUpdate {
        self.members.insert(name, value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_set_is_sent() {
        assert_eq!(ContactUpdate::new().to_json(), "{}");
        assert!(ContactUpdate::new().is_empty());
        let update = ContactUpdate::new().language("pl").locale("pl").time_zone("Europe/Warsaw");
        assert!(!update.is_empty());
        assert_eq!(update.to_json(), r#"{"language":"pl","locale":"pl","time_zone":"Europe/Warsaw"}"#);
    }

    #[test]
    fn what_is_the_persons_own_goes_by_its_published_name() {
        let update = ContactUpdate::new()
            .home_contact_number("1")
            .mobile_contact_number("2")
            .work_contact_number("3")
            .address_line_1("4")
            .address_line_2("5")
            .city("6")
            .post_code("7")
            .country_code("PL")
            .country_name("");
        let expected = serde_json::json!({
            "home_contact_number": "1", "mobile_contact_number": "2", "work_contact_number": "3",
            "address_line_1": "4", "address_line_2": "5", "city": "6", "post_code": "7",
            "country_code": "PL", "country_name": "",
        });
        assert_eq!(serde_json::from_str::<Value>(&update.to_json()).unwrap(), expected);
    }

    #[test]
    fn all_ten_permissions_go_by_their_published_names_and_the_last_word_counts() {
        for permission in Permission::ALL {
            let update = ContactUpdate::new().permission(permission, true).permission(permission, false);
            assert_eq!(update.to_json(), format!(r#"{{"{}":false}}"#, permission.name()));
        }
    }

    #[test]
    fn no_text_breaks_out_of_its_member() {
        let update = ContactUpdate::new().time_zone("\",\"can_trade\":true,\"");
        let read: BTreeMap<String, String> = serde_json::from_str(&update.to_json()).unwrap();
        assert_eq!(read.len(), 1);
    }
}
