//! The names that requests may use: IANA's OAuth Parameters registry, and our own.
//!
//! A parameter that is registered asks for something that somebody defined. A request that does not take
//! it must refuse it, because dropping it would change what the caller asked for (`subject_token`,
//! `request`, ...). A name that no registry knows is ignored (RFC 6749 3.1, 3.2).

/// The registry at <https://www.iana.org/assignments/oauth-parameters>, sorted by name, each with where it
/// is defined and what it is. When IANA adds a name, add a line; nothing else changes.
pub const REGISTERED: &[(&str, &str)] = &[
    ("access_token", "RFC 6749: answer, the access token"),
    ("ace_client_recipientid", "RFC 9203: ACE, the client's OSCORE recipient id"),
    ("ace_profile", "RFC 9200: ACE, the profile to use"),
    ("ace_server_recipientid", "RFC 9203: ACE, the resource server's OSCORE recipient id"),
    ("acr_values", "OpenID Connect Core: wanted authentication context classes"),
    ("actor_token", "RFC 8693: who is to act, in a token exchange"),
    ("actor_token_type", "RFC 8693: the kind of actor_token"),
    ("assertion", "RFC 7521: an assertion used as a grant"),
    ("aud", "RFC 9101: audience of a request object"),
    ("audience", "RFC 8693: where the token is to be used, by a logical name"),
    ("authorization_details", "RFC 9396: wanted authority, in detail"),
    ("claim_token", "UMA 2.0: pushed claims"),
    ("claims", "OpenID Connect Core: wanted claims"),
    ("claims_locales", "OpenID Connect Core: wanted languages of claims"),
    ("client_assertion", "RFC 7521: an assertion that authenticates the application"),
    ("client_assertion_type", "RFC 7521: the kind of client_assertion"),
    ("client_id", "RFC 6749: the application"),
    ("client_metadata", "OpenID for Verifiable Presentations: the verifier's metadata"),
    ("client_secret", "RFC 6749: the application's secret"),
    ("cnf", "RFC 9201: ACE, confirmation key"),
    ("code", "RFC 6749: an authorization code"),
    ("code_challenge", "RFC 7636: PKCE, the challenge"),
    ("code_challenge_method", "RFC 7636: PKCE, how the challenge was made"),
    ("code_verifier", "RFC 7636: PKCE, the verifier"),
    ("dcql_query", "OpenID for Verifiable Presentations: the query"),
    ("device_code", "RFC 8628: a device's code"),
    ("display", "OpenID Connect Core: how to show pages"),
    ("dpop_jkt", "RFC 9449: thumbprint of the DPoP key"),
    ("ecdh_info", "ACE group communication for OSCORE: Diffie-Hellman details"),
    ("error", "RFC 6749: answer, the error code"),
    ("error_description", "RFC 6749: answer, the error in words"),
    ("error_uri", "RFC 6749: answer, a page about the error"),
    ("exp", "RFC 9101: end of a request object"),
    ("expected_origins", "OpenID for Verifiable Presentations: origins of the verifier"),
    ("expires_in", "RFC 6749: answer, the token's lifetime"),
    ("grant_type", "RFC 6749: which grant a token request makes"),
    ("iat", "RFC 9101: issue time of a request object"),
    ("id_token", "OpenID Connect Core: answer, the ID token"),
    ("id_token_hint", "OpenID Connect Core: an earlier ID token"),
    ("iss", "RFC 9207: the issuer of an authorization response; RFC 9101"),
    ("issued_token_type", "RFC 8693: answer, the kind of token issued"),
    ("jti", "RFC 9101: id of a request object"),
    ("kdc_dh_creds", "ACE group communication for OSCORE: the key distributor's credential"),
    ("kdcchallenge", "RFC 9594: ACE, the key distributor's challenge"),
    ("login_hint", "OpenID Connect Core: who is likely to sign in"),
    ("max_age", "OpenID Connect Core: how old a sign-in may be"),
    ("nbf", "RFC 9101: beginning of a request object"),
    ("nfv_token", "ETSI GS NFV-SEC 022: answer, an NFV token"),
    ("nonce", "OpenID Connect Core: binds an ID token to a session"),
    ("nonce1", "RFC 9203: ACE, the client's OSCORE nonce"),
    ("nonce2", "RFC 9203: ACE, the resource server's OSCORE nonce"),
    ("password", "RFC 6749: a resource owner's password"),
    ("pct", "UMA 2.0: persisted claims token"),
    ("prompt", "OpenID Connect Core: whether to ask the person"),
    ("redirect_uri", "RFC 6749: where to send the person back to"),
    ("refresh_token", "RFC 6749: a refresh token"),
    ("registration", "OpenID Connect Core: metadata of a self-issued request"),
    ("req_cnf", "RFC 9201: ACE, the key the token is to be bound to"),
    ("request", "OpenID Connect Core: a request object"),
    ("request_uri", "OpenID Connect Core: where a request object is; RFC 9126"),
    ("request_uri_method", "OpenID for Verifiable Presentations: how to fetch request_uri"),
    ("requested_token_type", "RFC 8693: the kind of token wanted"),
    ("resource", "RFC 8707: where the token is to be used, by its URI"),
    ("response_mode", "OAuth 2.0 Multiple Response Types: how to send the answer"),
    ("response_type", "RFC 6749: what an authorization request wants"),
    ("response_uri", "OpenID for Verifiable Presentations: where to post the answer"),
    ("rpt", "UMA 2.0: requesting party token"),
    ("rs_cnf", "RFC 9201: ACE, the resource server's key"),
    ("scope", "RFC 6749: wanted or granted scope"),
    ("session_state", "OpenID Connect Session Management: answer, the session's state"),
    ("sign_info", "RFC 9594: ACE, signature details"),
    ("state", "RFC 6749: handed back as it came"),
    ("sub", "RFC 9101: subject of a request object"),
    ("subject_token", "RFC 8693: on whose behalf, in a token exchange"),
    ("subject_token_type", "RFC 8693: the kind of subject_token"),
    ("ticket", "UMA 2.0: permission ticket"),
    ("token_type", "RFC 6749: answer, how to use the token"),
    ("transaction_data", "OpenID for Verifiable Presentations: what is to be agreed to"),
    ("trust_chain", "OpenID Federation: chain of statements to a trust anchor"),
    ("ui_locales", "OpenID Connect Core: wanted languages of pages"),
    ("upgraded", "UMA 2.0: answer, whether the token was upgraded"),
    ("username", "RFC 6749: a resource owner's name"),
    ("verifier_info", "OpenID for Verifiable Presentations: attestations about the verifier"),
    ("vp_token", "OpenID for Verifiable Presentations: the presentation"),
    ("vtr", "RFC 8485: vectors of trust"),
    ("wallet_nonce", "OpenID for Verifiable Presentations: the wallet's nonce"),
];

/// Names of our own that no registry has, sorted: `clients` narrows a contact token.
pub const OWN: &[&str] = &["clients"];

/// What a name is to a request that takes certain names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The request takes it.
    Taken(&'static str),
    /// It is defined for something that this request does not do: refuse it.
    RegisteredNotTaken(&'static str),
    /// Nobody defined it: ignore it.
    Unknown,
}

/// Says what `name` is to a request that takes the names in `taken`. Names are case-sensitive.
///
/// The name that comes back is our own constant, so it is safe to echo.
pub fn classify(name: &str, taken: &[&'static str]) -> Taken {
    if let Some(known) = taken.iter().find(|known| **known == name) {
        return Taken::Taken(known);
    }
    known_name(name).map_or(Taken::Unknown, Taken::RegisteredNotTaken)
}

/// The constant equal to `name`, if it is registered or our own. Safe to echo, unlike `name` itself.
pub fn known_name(name: &str) -> Option<&'static str> {
    let registered = REGISTERED.binary_search_by(|(registered, _)| (*registered).cmp(name)).ok();
    let own = || OWN.iter().copied().find(|own| *own == name);
    registered.map(|index| REGISTERED[index].0).or_else(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_sorted_without_repeats_and_says_what_each_name_is() {
        assert!(REGISTERED.is_sorted_by(|a, b| a.0 < b.0));
        assert!(OWN.is_sorted_by(|a, b| a < b));
        assert!(REGISTERED.iter().all(|(name, what)| !name.is_empty() && !what.is_empty()));
        assert!(OWN.iter().all(|own| REGISTERED.iter().all(|(name, _)| name != own)));
    }

    #[test]
    fn a_registered_name_is_refused_unless_taken_and_an_unknown_one_ignored() {
        let taken = ["scope", "clients"];
        assert_eq!(classify("scope", &taken), Taken::Taken("scope"));
        assert_eq!(classify("clients", &taken), Taken::Taken("clients"));
        for name in ["subject_token", "actor_token", "assertion", "request", "grant_type", "vtr"] {
            assert_eq!(classify(name, &taken), Taken::RegisteredNotTaken(name));
        }
        for name in ["", "utm_source", "Scope", "scope ", "clients2"] {
            assert_eq!(classify(name, &taken), Taken::Unknown);
        }
        assert_eq!(classify("clients", &["scope"]), Taken::RegisteredNotTaken("clients"));
    }

    #[test]
    fn every_registered_name_is_found() {
        for (name, _) in REGISTERED {
            assert_eq!(known_name(name), Some(*name));
        }
    }
}
