//! What is wrong with how an application, or a resource, proves itself: sentences for `show`, `add` and
//! `update`, which do what they were told all the same.

use procura_protocol::algorithm::Algorithm;
use procura_protocol::application_auth::{AuthMethod, AuthMethods, Profile};
use procura_protocol::time::UnixSeconds;
use procura_store::administration::{CredentialRecord, Shown};
use procura_store::credential::{CredentialKind, WARNED_AHEAD};
use procura_store::fields::{CERTIFICATE_SUBJECTS, Row};

const DAY: i64 = 24 * 60 * 60;

/// The sentences, the most pressing first.
pub(in crate::cli) fn of(row: &Row, credentials: &[CredentialRecord], now: UnixSeconds) -> Vec<String> {
    let mut told: Vec<String> = credentials.iter().filter_map(|one| of_end(one, now)).collect();
    told.extend(of_registration(row, credentials, now));
    told
}

fn of_end(credential: &CredentialRecord, now: UnixSeconds) -> Option<String> {
    let (kind, no, end) = (credential.kind(), credential.no, credential.expires_at?);
    let left = end.0 - now.0;
    match left {
        ..=0 => Some(format!("{kind} {no} ended at {end}: it proves nothing any more")),
        1..=WARNED_AHEAD => {
            let days = left / DAY;
            let s = if days == 1 { "" } else { "s" };
            Some(format!("{kind} {no} ends at {end}, in {days} day{s}: add its successor now"))
        }
        _ => None,
    }
}

fn of_registration(row: &Row, credentials: &[CredentialRecord], now: UnixSeconds) -> Vec<String> {
    let value = |name| row.get(name).flatten();
    let Some(methods) = value("auth_methods").and_then(|text| AuthMethods::parse(text).ok()) else {
        return Vec::new();
    };
    let live = || credentials.iter().filter(|one| !one.is_over(now));
    let has = |kind| live().any(|one| one.kind() == kind);
    let has_subject = CERTIFICATE_SUBJECTS.iter().any(|name| value(name).is_some());
    let has_certificate = has(CredentialKind::Certificate);
    let mut told = Vec::new();
    let mut say = |sentence: &str| told.push(sentence.to_owned());
    if methods.contains(AuthMethod::SelfSignedTlsClientAuth) && !has_certificate {
        say(
            "self_signed_tls_client_auth proves nothing yet: `application certificate add` registers a certificate",
        );
    }
    if value("certificate") == Some("required") && !has_subject && !has_certificate {
        say(
            "a certificate is required and none would do: register one with `application certificate add`, or \
             say what one by a configured CA must say",
        );
    }
    if methods.contains(AuthMethod::PrivateKeyJwt) && value("jwks_uri").is_none() && !has(CredentialKind::Key)
    {
        say(
            "private_key_jwt proves nothing yet: `application key add` registers a key, --jwks-uri says where they are",
        );
    }
    let profile = Profile::ALL.iter().find(|one| value("profile") == Some(one.name()));
    let profile = profile.copied().unwrap_or(Profile::Standard);
    let only = value("assertion_alg").and_then(|name| name.parse::<Algorithm>().ok());
    for credential in live() {
        let Shown::Key(jwk) = &credential.shown else { continue };
        let Ok(jwk) = serde_json::from_str::<procura_jose::Jwk>(jwk) else { continue };
        let fits = only.map_or(jwk.algorithm() != Algorithm::Rs256, |only| only == jwk.algorithm());
        let (no, algorithm) = (credential.no, jwk.algorithm());
        if !profile.takes_algorithm(algorithm) {
            say(&format!("key {no} is for {algorithm}, which profile {profile} forbids: register another"));
        } else if !fits {
            say(&format!(
                "key {no} is for {algorithm}, which assertions may not use: say --assertion-alg {algorithm}"
            ));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use procura_protocol::time::UnixMillis;
    use procura_store::change::Entity;
    use procura_store::records::CredentialNo;

    use super::super::public_key::{self, RSA_KEY};
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_767_225_600);
    const RSA: &str = "RS256";

    fn application(pairs: &[(&str, &str)]) -> Row {
        let row = Row::read(Entity::Application, pairs.iter().copied().chain([("application_id", "app_1")]));
        Row::whole(Entity::Application, row.unwrap().applied_to(None).unwrap())
    }

    fn credential(shown: Shown, left: Option<i64>) -> CredentialRecord {
        let expires_at = left.map(|left| NOW.plus(left));
        CredentialRecord { no: CredentialNo(7), created_at: UnixMillis(0), expires_at, shown }
    }

    #[test]
    fn an_end_is_told_thirty_days_ahead_and_after() {
        let row = application(&[]);
        let told = |left| of(&row, &[credential(Shown::Secret, left)], NOW).join("\n");
        assert_eq!(told(None), "");
        assert_eq!(told(Some(30 * DAY + 1)), "");
        assert_eq!(
            told(Some(30 * DAY)),
            "secret 7 ends at 2026-01-31T00:00:00Z, in 30 days: add its successor now"
        );
        assert!(told(Some(2 * DAY - 1)).contains("in 1 day:"), "{}", told(Some(2 * DAY - 1)));
        assert_eq!(told(Some(0)), "secret 7 ended at 2026-01-01T00:00:00Z: it proves nothing any more");
    }

    #[test]
    fn a_method_without_what_it_needs_is_told_until_it_is_there() {
        let certificate = || credential(Shown::Certificate([0; 3].into()), Some(90 * DAY));
        let key = |alg| {
            let jwk = serde_json::to_string(&public_key::read(RSA_KEY.as_bytes()).unwrap()).unwrap();
            credential(Shown::Key(jwk.replace("PS256", alg).into()), None)
        };
        let own = ("auth_methods", "self_signed_tls_client_auth");
        let signed = ("auth_methods", "private_key_jwt");
        let required = ("certificate", "required");
        let count =
            |pairs: &[(&str, &str)], held: &[CredentialRecord]| of(&application(pairs), held, NOW).len();
        assert_eq!((count(&[own], &[]), count(&[own], &[certificate()])), (1, 0));
        assert_eq!((count(&[required], &[]), count(&[required], &[certificate()])), (1, 0));
        assert_eq!(count(&[required, ("certificate_san_dns", "erp.example")], &[]), 0);
        assert_eq!((count(&[signed], &[]), count(&[signed], &[key("PS256")])), (1, 0));
        assert_eq!(count(&[signed, ("jwks_uri", "https://erp.example/jwks")], &[]), 0);
        assert_eq!(count(&[signed], &[key(RSA)]), 1);
        assert_eq!(count(&[signed, ("assertion_alg", RSA)], &[key(RSA)]), 0);
        assert_eq!(count(&[signed, ("assertion_alg", RSA)], &[key("PS256")]), 1);
        let profile = [signed, ("profile", "fapi2"), ("dpop_bound_access_tokens", "true")];
        assert_eq!(count(&profile, &[key("PS256")]), 0);
        let told = of(&application(&profile), &[key(RSA)], NOW).join("\n");
        assert_eq!(told, "key 7 is for RS256, which profile fapi2 forbids: register another");
    }
}
