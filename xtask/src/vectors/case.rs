//! One case: a token, a request, what was revoked, and the one right answer.

use serde::Serialize;
use serde_json::{Value, json};

use super::recipe::Recipe;

/// Seconds of Unix time at which every case is judged.
pub(super) const NOW: i64 = 1_795_402_600;
/// Seconds for which the clocks of both sides may differ.
pub(super) const LEEWAY: i64 = 5;
pub(super) const ISSUER: &str = "https://procura.example";
pub(super) const AUDIENCE: &str = "https://payments.example";

/// A case as it is written, but for its token.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Case {
    pub(super) name: String,
    group: &'static str,
    source: &'static str,
    /// No ordinary HTTP library carries such a request.
    unmakeable: bool,
    pub(super) recipe: Option<Recipe>,
    /// Made of the recipe when all cases are known.
    pub(super) token: Option<String>,
    pub(super) request: Request,
    route: Route,
    marks: Vec<Mark>,
    pub(super) answer: Answer,
    /// What the guard is cut off from, in the cases that are about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

/// The request that carries the token.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Request {
    method: &'static str,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    /// The name of the certificate that the caller proved to hold in its TLS handshake.
    certificate: Option<&'static str>,
}

/// What the route asks for.
#[derive(Debug, Clone, Serialize)]
struct Route {
    permission: Option<&'static str>,
    person: bool,
}

/// A revocation that the guard has heard of.
#[derive(Debug, Clone, Serialize)]
struct Mark {
    kind: String,
    ids: Vec<String>,
    version: u64,
}

/// What a guard must answer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `error` of `WWW-Authenticate`.
    error: Option<&'static str>,
    /// `code` of the ErrorMessage.
    code: Option<&'static str>,
    /// What the handler is told.
    acting: Option<Value>,
}

impl Case {
    /// The valid token, asking for the valid client, on a route to which authority to read is enough.
    pub(super) fn new(group: &'static str, name: &str, source: &'static str, recipe: Recipe) -> Self {
        Case {
            name: name.to_owned(),
            group,
            source,
            unmakeable: false,
            recipe: Some(recipe),
            token: None,
            request: Request {
                method: "GET",
                target: "/quotes?client_id=CLI1001".to_owned(),
                headers: vec![header("authorization", "Bearer {token}")],
                certificate: None,
            },
            route: Route { permission: None, person: false },
            marks: Vec::new(),
            answer: Answer::acting("CLI1001", &CLI1001_MAY),
            state: None,
        }
    }

    /// There is no token at all.
    pub(super) fn without_token(mut self) -> Self {
        self.recipe = None;
        self
    }

    pub(super) fn target(mut self, target: &str) -> Self {
        self.request.target = target.to_owned();
        self
    }

    /// These headers and no others.
    pub(super) fn headers(mut self, headers: &[(&str, &str)]) -> Self {
        self.request.headers = headers.iter().map(|(name, value)| header(name, value)).collect();
        self
    }

    /// This header too.
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push(header(name, value));
        self
    }

    /// The caller holds this certificate.
    pub(super) fn certificate(mut self, name: &'static str) -> Self {
        self.request.certificate = Some(name);
        self
    }

    pub(super) fn permission(mut self, permission: &'static str) -> Self {
        self.route.permission = Some(permission);
        self
    }

    /// The route wants somebody who signed in.
    pub(super) fn person(mut self) -> Self {
        self.route.person = true;
        self
    }

    pub(super) fn mark(mut self, kind: &str, ids: &[&str], version: u64) -> Self {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        self.marks.push(Mark { kind: kind.to_owned(), ids, version });
        self
    }

    pub(super) fn unmakeable(mut self) -> Self {
        self.unmakeable = true;
        self
    }

    pub(super) fn state(mut self, state: &'static str) -> Self {
        self.state = Some(state);
        self
    }

    pub(super) fn answer(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }
}

/// What the valid token allows for each of its clients.
pub(super) const CLI1001_MAY: [&str; 2] = ["can_manage_payments", "can_trade"];

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

impl Answer {
    /// 200, for the valid token's contact with nobody at the keyboard.
    pub(super) fn acting(client: &str, permissions: &[&str]) -> Self {
        Self::acting_as(client, permissions, "no_person")
    }

    /// 200, for the valid token's contact who signed in.
    pub(super) fn person(client: &str, permissions: &[&str]) -> Self {
        Self::acting_as(client, permissions, "person")
    }

    fn acting_as(client: &str, permissions: &[&str], presence: &str) -> Self {
        let acting = json!({
            "contact": "CON2002", "application": "app_partner1", "client": client,
            "permissions": permissions, "presence": presence,
        });
        Answer { status: 200, error: None, code: None, acting: Some(acting) }
    }

    /// There was no bearer token: 401 without an error (RFC 6750 3.1).
    pub(super) fn unauthenticated() -> Self {
        Answer { status: 401, error: None, code: None, acting: None }
    }

    pub(super) fn invalid_token() -> Self {
        Answer { status: 401, error: Some("invalid_token"), code: None, acting: None }
    }

    /// The token was not sent as RFC 6750 says.
    pub(super) fn malformed() -> Self {
        Answer { status: 400, error: Some("invalid_request"), code: Some("invalid_request"), acting: None }
    }

    /// A parameter or a header beside the token came twice.
    pub(super) fn repeated() -> Self {
        Answer { status: 400, error: None, code: Some("invalid_request"), acting: None }
    }

    /// 403 with this code.
    pub(super) fn forbidden(code: &'static str) -> Self {
        Answer { status: 403, error: None, code: Some(code), acting: None }
    }

    pub(super) fn client_not_allowed() -> Self {
        Self::forbidden("client_not_allowed")
    }

    pub(super) fn insufficient() -> Self {
        Answer { error: Some("insufficient_scope"), ..Self::forbidden("insufficient_permission") }
    }

    pub(super) fn unavailable() -> Self {
        Answer { status: 503, error: None, code: Some("temporarily_unavailable"), acting: None }
    }
}
