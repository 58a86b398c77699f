//! What came back, and whether it is what may come.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::adapter::{Departures, Door};
use crate::case::{Stop, Verdict};
use crate::wire::Response;

/// An answer together with what was sent for it, in words.
#[derive(Debug)]
pub(crate) struct Answer<'w> {
    pub(crate) sent: String,
    pub(crate) door: Door,
    pub(crate) departures: &'w Departures,
    /// An answer, or why there was none.
    pub(crate) came: Result<Response, String>,
}

/// What was wrong with a request, which says how it may be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The request as such.
    Request,
    /// The application is not proved.
    Client,
    /// The application may not do this.
    Unauthorized,
    /// The assertion, the subject, or the contact.
    Grant,
    /// `grant_type`.
    GrantType,
    /// `scope`.
    Scope,
    /// The resource.
    Target,
    /// The proof of possession.
    Proof,
    /// The HTTP: any 4xx, or the end of the connection.
    Http,
}

/// A token that was given.
pub(crate) struct Grant {
    pub(crate) sent: String,
    pub(crate) access_token: String,
    pub(crate) id_token: Option<String>,
    pub(crate) body: Value,
    pub(crate) headers: Vec<(String, String)>,
}

/// Statuses of HTTP itself that need no code of OAuth.
const OF_HTTP: [u16; 9] = [404, 405, 413, 414, 415, 421, 429, 431, 406];

impl Answer<'_> {
    /// The body as JSON; `Null` if it is none.
    pub(crate) fn json(&self) -> Value {
        let response = self.came.as_ref().ok();
        response.and_then(|response| serde_json::from_slice(&response.body).ok()).unwrap_or_default()
    }

    /// The status; 0 when the connection ended.
    pub(crate) fn status(&self) -> u16 {
        self.came.as_ref().map_or(0, |response| response.status)
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.came.as_ref().ok()?.header(name)
    }

    /// In a few words, without a token.
    pub(crate) fn told(&self) -> String {
        let response = match &self.came {
            Err(why) => return why.clone(),
            Ok(response) => response,
        };
        let status = response.status;
        let body = self.json();
        if holds_token(&body) {
            return format!("{status} with a token");
        }
        match body["error"].as_str().or(body["code"].as_str()) {
            Some(code) => {
                let code: String = code.chars().take(60).collect();
                format!("{status} {}", code.escape_debug())
            }
            None if response.body.is_empty() => format!("{status} without a body"),
            None => format!("{status} with {} bytes", response.body.len()),
        }
    }

    /// The honest request: it must have been granted.
    pub(crate) fn granted(self) -> Result<Grant, Stop> {
        let body = self.json();
        let token = body["access_token"].as_str().map(str::to_owned);
        match (self.status(), token, self.came) {
            (200, Some(access_token), Ok(response)) => Ok(Grant {
                sent: self.sent,
                access_token,
                id_token: body["id_token"].as_str().map(str::to_owned),
                headers: response.headers,
                body,
            }),
            (_, _, came) => {
                let answer = Answer { came, sent: String::new(), ..self };
                Err(Stop::unshown(&self.sent, &answer))
            }
        }
    }

    /// It must be refused, for one of these reasons, and nothing given away.
    pub(crate) fn refused(&self, whys: &[Why]) -> Verdict {
        let wrong = |what: &str| Err(Stop::fail(&self.sent, format_args!("{}{what}", self.told())));
        let http = whys.contains(&Why::Http);
        let response = match &self.came {
            Err(_) if http => return Ok(()),
            Err(_) => return wrong(""),
            Ok(response) => response,
        };
        let body = self.json();
        if holds_token(&body) {
            return wrong("");
        }
        let status = response.status;
        let usual = (400..500).contains(&status) || self.departures.statuses.contains(&status);
        if !usual {
            return wrong(", which is no refusal");
        }
        match body["error"].as_str() {
            Some(code) if whys.iter().any(|why| self.fits(*why, code)) => Ok(()),
            Some(_) if http || OF_HTTP.contains(&status) => Ok(()),
            Some(_) => wrong(", which is another error than this has"),
            None if http || OF_HTTP.contains(&status) || self.departures.statuses.contains(&status) => Ok(()),
            None if status == 401 && whys.contains(&Why::Client) => Ok(()),
            None => wrong(", which names no error"),
        }
    }

    /// It must be refused or ignored: if a token comes, `look` judges it.
    pub(crate) fn refused_or(self, whys: &[Why], look: impl FnOnce(Grant) -> Verdict) -> Verdict {
        if self.status() == 200 && holds_token(&self.json()) {
            let sent = self.sent.clone();
            return match look(self.granted()?) {
                Err(Stop::Fail { came, .. }) => Err(Stop::fail(sent, came)),
                other => other,
            };
        }
        self.refused(whys)
    }

    /// An API must let it through.
    pub(crate) fn let_through(&self) -> Verdict {
        match self.status() {
            200..300 => Ok(()),
            _ => Err(Stop::unshown(&self.sent, self)),
        }
    }

    /// An API must not let it through.
    pub(crate) fn barred(&self) -> Verdict {
        match self.status() {
            0 | 400..500 => Ok(()),
            _ => Err(Stop::fail(&self.sent, self.told())),
        }
    }

    /// Introspection must say that it is in force; what it says of it.
    pub(crate) fn active(&self) -> Result<Value, Stop> {
        let body = self.json();
        match (self.status(), &body["active"]) {
            (200, Value::Bool(true)) => Ok(body),
            _ => Err(Stop::unshown(&self.sent, self)),
        }
    }

    /// Introspection must say that it is not in force, and nothing else of it.
    pub(crate) fn inactive(&self) -> Verdict {
        let body = self.json();
        let told = body.as_object().map_or(0, serde_json::Map::len);
        match (self.status(), &body["active"]) {
            (200, Value::Bool(false)) if told == 1 => Ok(()),
            (200, Value::Bool(false)) => {
                Err(Stop::fail(&self.sent, "`active` is false, and more is told beside it"))
            }
            (400..500, _) => Ok(()),
            (200, Value::Bool(true)) => Err(Stop::fail(&self.sent, "introspection says that it is active")),
            _ => Err(Stop::fail(&self.sent, self.told())),
        }
    }

    /// What a stranger could tell answers apart by.
    pub(crate) fn looks(&self) -> String {
        let Ok(response) = &self.came else { return "no answer".to_owned() };
        let names: BTreeSet<String> =
            response.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let told = ["content-type", "cache-control", "pragma", "www-authenticate"]
            .map(|name| response.header(name).unwrap_or_default());
        format!("{} {names:?} {told:?} {}", response.status, String::from_utf8_lossy(&response.body))
    }

    fn fits(&self, why: Why, code: &str) -> bool {
        let errors = &self.departures.errors;
        let (usual, more): (&[&str], &[String]) = match why {
            Why::Request => (&["invalid_request"], &errors.request),
            Why::Client => (&["invalid_client"], &errors.client),
            Why::Unauthorized => (&["unauthorized_client", "access_denied"], &[]),
            // RFC 8693 2.2.2 has invalid_request for a subject token that is not taken.
            Why::Grant if self.door == Door::TokenExchange => {
                (&["invalid_grant", "invalid_request"], &errors.grant)
            }
            Why::Grant => (&["invalid_grant"], &errors.grant),
            Why::GrantType => (&["unsupported_grant_type", "invalid_request"], &[]),
            Why::Scope => (&["invalid_scope"], &errors.scope),
            Why::Target => (&["invalid_target"], &errors.target),
            Why::Proof => (&["invalid_dpop_proof", "use_dpop_nonce"], &errors.proof),
            Why::Http => (&[], &[]),
        };
        usual.contains(&code) || more.iter().any(|known| known == code)
    }
}

/// Whether a body gives something away that opens a door.
fn holds_token(body: &Value) -> bool {
    ["access_token", "id_token", "refresh_token"].iter().any(|name| body.get(name).is_some())
}
