//! The digests that marks are known by (contract, chapter 8).

use procura_protocol::access_token::{AccessToken, Holder};
use procura_protocol::mark::{MarkKind, MarkSubject, subject_text};

use crate::digest::sha256;

/// The subject of a mark of this kind on this id or these two.
pub fn mark_subject(kind: MarkKind, id: &str, second: Option<&str>) -> MarkSubject {
    MarkSubject(sha256(subject_text(kind, id, second).as_bytes()))
}

/// The subject of a mark on all tokens.
pub fn everything() -> MarkSubject {
    mark_subject(MarkKind::All, "", None)
}

/// The subjects of all marks that can hit a token that the key `kid` signed.
pub fn token_subjects(token: &AccessToken, kid: &str) -> Box<[MarkSubject]> {
    let application = token.application.as_str();
    let mut subjects = Collector { subjects: Vec::new(), text: String::with_capacity(160) };
    let (contact, mandates) = match &token.holder {
        Holder::Contact { contact, mandates, .. } => (Some(contact.as_str()), &**mandates),
        Holder::Application => (None, &[][..]),
    };
    subjects.subjects.reserve_exact(5 + 3 * mandates.len());
    subjects.push(MarkKind::Token, &token.id, None);
    subjects.push(MarkKind::Application, application, None);
    subjects.push(MarkKind::Key, kid, None);
    subjects.push(MarkKind::All, "", None);
    if let Some(contact) = contact {
        subjects.push(MarkKind::Contact, contact, None);
        for mandate in mandates {
            let client = mandate.client.as_str();
            subjects.push(MarkKind::Client, client, None);
            subjects.push(MarkKind::Trust, application, Some(client));
            subjects.push(MarkKind::Mandate, contact, Some(client));
        }
    }
    subjects.subjects.into_boxed_slice()
}

/// Writes every [`subject_text`] into the same buffer: a token has up to two hundred.
struct Collector {
    subjects: Vec<MarkSubject>,
    text: String,
}

impl Collector {
    fn push(&mut self, kind: MarkKind, id: &str, second: Option<&str>) {
        self.text.clear();
        self.text.extend([kind.name(), "\n", id]);
        if let Some(second) = second {
            self.text.extend(["\n", second]);
        }
        self.subjects.push(MarkSubject(sha256(self.text.as_bytes())));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_has_the_subjects_of_every_mark_that_can_hit_it() {
        let mut claims = json!({
            "iss": "https://procura.example", "sub": "CON1", "aud": "https://bank.example", "iat": 1, "exp": 3601,
            "jti": "J", "client_id": "app_1", "scope": "openid", "act": {"sub": "app_1"},
            "acr": "urn:procura:acr:unattended", "dv": 63,
            "mandates": [{"clients": ["CLI1", "CLI2"], "permissions": []}],
        });
        let mut expected = vec![
            mark_subject(MarkKind::Token, "J", None),
            mark_subject(MarkKind::Application, "app_1", None),
            mark_subject(MarkKind::Key, "K", None),
            everything(),
        ];
        let of_contact = [
            mark_subject(MarkKind::Contact, "CON1", None),
            mark_subject(MarkKind::Client, "CLI1", None),
            mark_subject(MarkKind::Trust, "app_1", Some("CLI1")),
            mark_subject(MarkKind::Mandate, "CON1", Some("CLI1")),
            mark_subject(MarkKind::Client, "CLI2", None),
            mark_subject(MarkKind::Trust, "app_1", Some("CLI2")),
            mark_subject(MarkKind::Mandate, "CON1", Some("CLI2")),
        ];
        for member in ["act", "acr", "mandates"] {
            let token: AccessToken = serde_json::from_value(claims.clone()).unwrap();
            assert_eq!(*token_subjects(&token, "K"), [&expected[..], &of_contact[..]].concat());
            if member == "act" {
                break;
            }
        }
        claims["sub"] = "app_1".into();
        for member in ["act", "mandates"] {
            claims.as_object_mut().unwrap().remove(member);
        }
        let token: AccessToken = serde_json::from_value(claims).unwrap();
        expected.sort();
        let mut subjects = token_subjects(&token, "K");
        subjects.sort();
        assert_eq!(*subjects, expected);
    }
}
