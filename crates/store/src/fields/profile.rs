//! What the profile of an application asks of its other fields.

use procura_protocol::algorithm::Algorithm;
use procura_protocol::application_auth::{AssertionAudience, AuthMethod, AuthMethods, Profile, SecondFactor};
use thiserror::Error;

/// What contradicts the profile `fapi2`, in a sentence that says what to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProfileConflict {
    /// A secret would be enough.
    #[error(
        "profile fapi2 takes no secrets: auth_methods must be one or more of private_key_jwt, tls_client_auth and \
         self_signed_tls_client_auth"
    )]
    Secrets,
    /// A token could be bound to nothing.
    #[error(
        "profile fapi2 needs bound tokens: set dpop_bound_access_tokens to true, or certificate_bound_tokens to \
         true where a certificate is always there (certificate is required, or auth_methods has nothing but \
         tls_client_auth and self_signed_tls_client_auth)"
    )]
    Unbound,
    /// Something would be signed with an algorithm that is too weak.
    #[error("profile fapi2 forbids RS256: set {field} to ES256, PS256 or EdDSA")]
    Algorithm {
        /// The field that says so.
        field: &'static str,
    },
    /// Assertions would be addressed to endpoints.
    #[error("profile fapi2 wants assertions for the issuer alone: set assertion_audience to issuer")]
    Audience,
}

/// The fields that say what is signed with which algorithm.
const ALGORITHMS: [&str; 2] = ["id_token_alg", "assertion_alg"];

/// What contradicts the profile among the values of an application, each under the name of its field. A value
/// that can't be read contradicts nothing: who reads fields has refused it already.
pub(super) fn check<'v>(value: impl Fn(&str) -> Option<&'v str>) -> Result<(), ProfileConflict> {
    let named = |name: &str, wanted: &str| value(name) == Some(wanted);
    let Some(profile) = Profile::ALL.iter().find(|profile| named("profile", profile.name())) else {
        return Ok(());
    };
    let methods = value("auth_methods").and_then(|text| AuthMethods::parse(text).ok());
    let methods =
        || AuthMethod::ALL.iter().filter(|method| methods.is_some_and(|all| all.contains(**method)));
    if !methods().all(|method| profile.takes_method(*method)) {
        return Err(ProfileConflict::Secrets);
    }
    let is_certificate = |method: &AuthMethod| {
        matches!(method, AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth)
    };
    let always_there = named("certificate", SecondFactor::Required.name()) || methods().all(is_certificate);
    let is_bound = named("dpop_bound_access_tokens", "true")
        || (named("certificate_bound_tokens", "true") && always_there);
    if *profile == Profile::Fapi2 && !is_bound {
        return Err(ProfileConflict::Unbound);
    }
    for field in ALGORITHMS {
        let algorithm = value(field).and_then(|name| name.parse::<Algorithm>().ok());
        if algorithm.is_some_and(|algorithm| !profile.takes_algorithm(algorithm)) {
            return Err(ProfileConflict::Algorithm { field });
        }
    }
    let audiences = AssertionAudience::ALL.iter();
    let audience = audiences.copied().find(|audience| named("assertion_audience", audience.name()));
    match audience.is_none_or(|audience| profile.takes_audience(audience)) {
        true => Ok(()),
        false => Err(ProfileConflict::Audience),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Invalid, Row};
    use super::*;
    use crate::change::Entity;

    /// The application of the profile that works, but for these.
    fn judged(changed: &[(&str, &str)]) -> Result<(), ProfileConflict> {
        let mut pairs = vec![
            ("application_id", "app_1"),
            ("profile", "fapi2"),
            ("auth_methods", "private_key_jwt"),
            ("dpop_bound_access_tokens", "true"),
        ];
        pairs.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
        pairs.extend(changed);
        match Row::read(Entity::Application, pairs).unwrap().applied_to(None) {
            Ok(_) => Ok(()),
            Err(Invalid::Profile(conflict)) => Err(conflict),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_profile_takes_keys_and_certificates_and_no_secret() {
        let subject = ("certificate_san_dns", "erp.example");
        for methods in [
            "private_key_jwt",
            "tls_client_auth",
            "self_signed_tls_client_auth",
            "private_key_jwt tls_client_auth self_signed_tls_client_auth",
        ] {
            assert_eq!(judged(&[("auth_methods", methods), subject]), Ok(()), "{methods}");
        }
        for methods in ["client_secret_basic", "client_secret_post", "client_secret_post private_key_jwt"] {
            assert_eq!(judged(&[("auth_methods", methods)]), Err(ProfileConflict::Secrets), "{methods}");
        }
    }

    #[test]
    fn what_nobody_says_is_a_secret_and_that_is_refused_too() {
        let row =
            Row::read(Entity::Application, [("application_id", "app_1"), ("profile", "fapi2")]).unwrap();
        assert_eq!(row.applied_to(None), Err(Invalid::Profile(ProfileConflict::Secrets)));
    }

    #[test]
    fn tokens_are_bound_to_a_key_or_to_a_certificate_that_is_always_there() {
        let (no_key, yes, no) = (
            ("dpop_bound_access_tokens", "false"),
            ("certificate_bound_tokens", "true"),
            ("certificate_bound_tokens", "false"),
        );
        let (required, own) = (("certificate", "required"), ("auth_methods", "self_signed_tls_client_auth"));
        let either = ("auth_methods", "private_key_jwt self_signed_tls_client_auth");
        for bound in
            [&[][..], &[no_key, yes, required], &[no_key, yes, own], &[no_key, yes, either, required], &[no]]
        {
            assert_eq!(judged(bound), Ok(()), "{bound:?}");
        }
        for unbound in [&[no_key][..], &[no_key, no, required], &[no_key, no, own], &[no_key, yes, either]] {
            assert_eq!(judged(unbound), Err(ProfileConflict::Unbound), "{unbound:?}");
        }
    }

    #[test]
    fn nothing_is_signed_with_rs256() {
        for field in ALGORITHMS {
            assert_eq!(judged(&[(field, "RS256")]), Err(ProfileConflict::Algorithm { field }));
            for good in ["ES256", "PS256", "EdDSA"] {
                assert_eq!(judged(&[(field, good)]), Ok(()), "{field} {good}");
            }
        }
    }

    #[test]
    fn assertions_are_for_the_issuer() {
        assert_eq!(judged(&[("assertion_audience", "endpoint")]), Err(ProfileConflict::Audience));
        assert_eq!(judged(&[("assertion_audience", "issuer")]), Ok(()));
    }

    #[test]
    fn without_the_profile_all_of_it_may_be() {
        let weak = [
            ("profile", "standard"),
            ("auth_methods", "client_secret_post"),
            ("dpop_bound_access_tokens", "false"),
            ("id_token_alg", "RS256"),
            ("assertion_alg", "RS256"),
            ("assertion_audience", "endpoint"),
        ];
        assert_eq!(judged(&weak), Ok(()));
    }
}
