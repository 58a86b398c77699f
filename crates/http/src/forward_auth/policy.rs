//! What a proxy may let through.

use procura_guard::{BaseUrl, CertificateHeader, Need};
use procura_protocol::ids::ResourceId;
use procura_protocol::original_uri::OriginalUri;
use thiserror::Error;

use super::pattern::Fit;
use super::{Callers, ClientPlace, Pattern};

/// What one proxy may let through to one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name in the path that the proxy asks by.
    pub name: Box<str>,
    /// The resource whose tokens are taken; the built-in one if none is named.
    pub audience: Option<ResourceId>,
    /// Where the original method and URI stand.
    pub source: Source,
    /// Where the client's id stands in the original request.
    pub client: ClientPlace,
    /// Where the proxy passes on the certificate of its caller. Without it, tokens that are bound to one are
    /// refused.
    pub certificate: Option<CertificateHeader>,
    /// Where callers reach the resource, through the proxy. Without any, tokens that are bound to a key are refused:
    /// their proofs name the whole URL.
    pub reached_at: Vec<BaseUrl>,
    /// Who may ask.
    pub callers: Callers,
    /// What is let through. The first that fits decides.
    pub rules: Vec<Rule>,
}

/// The one place where a policy finds the original method and URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `X-Original-Method` and `X-Original-URI`.
    XOriginal,
    /// `X-Forwarded-Method` and `X-Forwarded-Uri`.
    XForwarded,
    /// The method of the request itself, and what follows the policy's name in its target.
    RequestLine,
}

impl Source {
    /// All of them, with their names in the configuration.
    pub const ALL: [(&'static str, Source); 3] = [
        ("x-original", Source::XOriginal),
        ("x-forwarded", Source::XForwarded),
        ("request-line", Source::RequestLine),
    ];
}

/// What is needed for some methods and paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The methods that it is about.
    pub methods: Methods,
    /// The paths that it is about.
    pub path: Pattern,
    /// What the token must give.
    pub need: Need,
}

/// Methods that a rule is about; empty for every one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Methods(Vec<Box<str>>);

/// A text that is no method; completes "it ...".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a method in capital letters, for instance POST")]
pub struct InvalidMethod;

impl Methods {
    /// These and no others.
    ///
    /// # Errors
    ///
    /// [`InvalidMethod`].
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Methods, InvalidMethod> {
        let known = |name: &'a str| if is_method(name) { Ok(name.into()) } else { Err(InvalidMethod) };
        names.into_iter().map(known).collect::<Result<_, _>>().map(Methods)
    }

    /// Their names; none for every method.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// A server answers `HEAD` as it answers `GET` (RFC 9110 9.3.2).
    fn covers(&self, method: &str) -> bool {
        let listed = |method: &str| self.0.iter().any(|known| **known == *method);
        self.0.is_empty() || listed(method) || (method == "HEAD" && listed("GET"))
    }
}

/// Whether a text is a method that everybody reads alike.
pub(super) fn is_method(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

/// Why no rule lets a request through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoRule {
    /// There is none for that method and path.
    #[error("No rule lets this method and path through.")]
    None,
    /// A rule is about the path as a less exact server reads it, so no later one may decide.
    #[error(
        "The path is that of a rule but for capital letters or a slash at the end. Send it as it is written."
    )]
    Nearly,
}

impl Policy {
    /// What the first rule that fits asks for.
    pub(super) fn need(&self, method: &str, uri: &OriginalUri<'_>) -> Result<Need, NoRule> {
        for rule in self.rules.iter().filter(|rule| rule.methods.covers(method)) {
            match rule.path.fit(uri.segments()) {
                Fit::Fits => return Ok(rule.need),
                Fit::Nearly => return Err(NoRule::Nearly),
                Fit::No => {}
            }
        }
        Err(NoRule::None)
    }
}

#[cfg(test)]
mod tests {
    use procura_guard::Permission;

    use super::*;

    fn policy() -> Policy {
        let rule = |methods: &[&str], path: &str, need: Need| Rule {
            methods: Methods::of(methods.iter().copied()).unwrap(),
            path: Pattern::parse(path).unwrap(),
            need,
        };
        Policy {
            name: "quotes".into(),
            audience: None,
            source: Source::XOriginal,
            client: ClientPlace::default(),
            certificate: None,
            reached_at: Vec::new(),
            callers: Callers::default(),
            rules: vec![
                rule(&[], "/admin/**", Need::permission(Permission::ManagePermissions).of_a_person()),
                rule(&["POST"], "/quotes", Need::permission(Permission::Trade)),
                rule(&["GET"], "/**", Need::READING),
            ],
        }
    }

    fn need(method: &str, uri: &str) -> Result<Need, NoRule> {
        policy().need(method, &OriginalUri::read(uri.as_bytes()).unwrap())
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let admin = Need::permission(Permission::ManagePermissions).of_a_person();
        assert_eq!(need("GET", "/admin/x"), Ok(admin));
        assert_eq!(need("POST", "/quotes"), Ok(Need::permission(Permission::Trade)));
        assert_eq!(need("GET", "/quotes"), Ok(Need::READING));
        assert_eq!(need("POST", "/other"), Err(NoRule::None));
    }

    #[test]
    fn head_is_get_and_no_other_method_is() {
        assert_eq!(need("HEAD", "/quotes"), Ok(Need::READING));
        for method in ["OPTIONS", "TRACE", "QUERY", "DELETE"] {
            assert_eq!(need(method, "/quotes"), Err(NoRule::None), "{method}");
        }
    }

    #[test]
    fn a_path_that_is_nearly_that_of_a_strict_rule_does_not_fall_through_to_a_lax_one() {
        for path in ["/Admin/x", "/ADMIN"] {
            assert_eq!(need("GET", path), Err(NoRule::Nearly), "{path}");
        }
        assert_eq!(need("POST", "/quotes/"), Err(NoRule::Nearly));
        assert_eq!(need("GET", "/%61dmin/x").map(|need| need.person), Ok(true));
    }

    #[test]
    fn a_method_is_capital_letters() {
        for method in ["GET", "M-SEARCH"] {
            assert!(is_method(method), "{method}");
        }
        for method in ["", "get", "Get", "GET ", "GET,POST", "GE\u{54}\u{301}", &"A".repeat(33)] {
            assert!(!is_method(method), "{method}");
        }
    }
}
