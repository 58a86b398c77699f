//! `WWW-Authenticate`: which schemes are taken here, and what was wrong (RFC 6750 3, RFC 9449 7.1).

use http::HeaderValue;
use procura_dpop::DPOP_ALGORITHMS;
use procura_jose::Algorithm;

use crate::authorization::Scheme;

/// What a caller is told about the schemes that are taken here. By default of no resource.
#[derive(Default)]
pub(crate) struct Challenger<'a> {
    /// The resource's id.
    pub(crate) realm: &'a str,
    /// How the token came, if one came.
    pub(crate) came_as: Scheme,
    /// Whether proofs of possession can be checked here.
    pub(crate) takes_proofs: bool,
    /// The nonce for the next one.
    pub(crate) nonce: Option<HeaderValue>,
}

/// What a challenge says beside its scheme and realm.
#[derive(Default)]
pub(crate) struct Challenge {
    pub(crate) error: Option<&'static str>,
    pub(crate) description: Option<String>,
    pub(crate) scope: Option<&'static str>,
}

impl Challenger<'_> {
    /// `WWW-Authenticate`, once for each scheme. The error stands with the one that the token came by.
    pub(crate) fn headers(
        &self,
        challenge: &Challenge,
        otherwise: bool,
    ) -> impl Iterator<Item = HeaderValue> {
        let other = otherwise && self.takes_proofs && self.came_as == Scheme::Bearer;
        let also = other.then(|| self.header(Scheme::Dpop, &Challenge::default()));
        [self.header(self.came_as, challenge)].into_iter().chain(also)
    }

    fn header(&self, scheme: Scheme, challenge: &Challenge) -> HeaderValue {
        let (name, algorithms) = match scheme {
            Scheme::Bearer => ("Bearer ", None),
            Scheme::Dpop => ("DPoP ", Some(DPOP_ALGORITHMS.map(Algorithm::as_str).join(" "))),
        };
        let mut text = String::from(name);
        push_quoted(&mut text, "realm", self.realm);
        let more = [
            ("error", challenge.error),
            ("error_description", challenge.description.as_deref()),
            ("scope", challenge.scope),
            ("algs", algorithms.as_deref()),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                text.push_str(", ");
                push_quoted(&mut text, name, value);
            }
        }
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

/// RFC 9110 5.6.4: a quoted string. What can't stand in one becomes `?`.
fn push_quoted(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            _ => text.push('?'),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use http::header::WWW_AUTHENTICATE;
    use procura_dpop::DpopFault;
    use procura_protocol::permission::Permission;

    use super::*;
    use crate::refusal::{Refusal, RequestFault, TokenFault};

    fn challenges(refusal: Refusal, came_as: Scheme, takes_proofs: bool) -> Vec<String> {
        let challenger = Challenger { realm: "urn:api", came_as, takes_proofs, nonce: None };
        let answer = refusal.answer(&challenger);
        let all = answer.headers().get_all(WWW_AUTHENTICATE).iter();
        all.map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_challenge_names_the_error_and_the_missing_permission() {
        let challenge = |refusal: Refusal| challenges(refusal, Scheme::Bearer, false).concat();
        assert_eq!(challenge(Refusal::NoToken), r#"Bearer realm="urn:api""#);
        assert_eq!(
            challenge(Refusal::InsufficientPermission(Permission::Trade)),
            r#"Bearer realm="urn:api", error="insufficient_scope", scope="can_trade""#
        );
        assert_eq!(
            challenge(Refusal::Token(TokenFault::Expired)),
            r#"Bearer realm="urn:api", error="invalid_token", error_description="the token has expired""#
        );
    }

    #[test]
    fn who_takes_proofs_says_so_beside_bearer_to_whoever_may_need_it() {
        let (plain, dpop) =
            (r#"Bearer realm="urn:api""#, r#"DPoP realm="urn:api", algs="ES256 PS256 EdDSA""#);
        assert_eq!(challenges(Refusal::NoToken, Scheme::Bearer, true), [plain, dpop]);
        let downgraded = challenges(TokenFault::KeyBound.into(), Scheme::Bearer, true);
        assert!(
            downgraded[0].starts_with(r#"Bearer realm="urn:api", error="invalid_token""#),
            "{downgraded:?}"
        );
        assert_eq!(downgraded[1..], [dpop]);
        assert_eq!(challenges(TokenFault::Expired.into(), Scheme::Bearer, true).len(), 1);
    }

    #[test]
    fn a_token_that_came_with_a_proof_is_refused_in_the_words_of_its_scheme() {
        let challenge = |refusal: Refusal| {
            let all = challenges(refusal, Scheme::Dpop, true);
            assert_eq!(all.len(), 1);
            all.concat()
        };
        for (refusal, error) in [
            (TokenFault::Expired.into(), "invalid_token"),
            (TokenFault::KeyUnbound.into(), "invalid_token"),
            (Refusal::Proof(DpopFault::OtherKey), "invalid_token"),
            (Refusal::Proof(DpopFault::Missing), "invalid_dpop_proof"),
            (Refusal::Proof(DpopFault::Replayed), "invalid_dpop_proof"),
            (Refusal::Proof(DpopFault::Nonce), "use_dpop_nonce"),
            (Refusal::InsufficientPermission(Permission::Trade), "insufficient_scope"),
            (RequestFault::MalformedDpop.into(), "invalid_request"),
        ] {
            let told = challenge(refusal);
            assert!(told.starts_with(&format!(r#"DPoP realm="urn:api", error="{error}""#)), "{told}");
            assert!(told.ends_with(r#"algs="ES256 PS256 EdDSA""#), "{told}");
        }
    }

    #[test]
    fn a_nonce_goes_with_the_answer() {
        let nonce = Some(HeaderValue::from_static("n"));
        let challenger = Challenger { came_as: Scheme::Dpop, nonce, ..Challenger::default() };
        let answer = Refusal::Proof(DpopFault::Nonce).answer(&challenger);
        assert_eq!(answer.headers()["dpop-nonce"], "n");
    }

    #[test]
    fn a_realm_can_not_break_out_of_its_quotes() {
        let answer = Refusal::NoToken
            .answer(&Challenger { realm: "a\", error=\"b\\\r\nc\u{e9}", ..Challenger::default() });
        let header = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert_eq!(header, r#"Bearer realm="a\", error=\"b\\??c?""#);
    }
}
