//! Where a call says which client it is about.

use http::header::{HeaderName, InvalidHeaderName};
use http::{HeaderMap, Uri};
use percent_encoding::percent_decode;
use procura_protocol::ids::ClientId;
use thiserror::Error;

use crate::refusal::{Refusal, RequestFault};

/// Where a call says which client it is about. One place for all routes behind a layer; what stands
/// elsewhere is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPlace(Place);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Query(Box<str>),
    Header(HeaderName),
    Path(Box<[Segment]>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Any,
    Client,
}

/// A text that is no template for [`ClientPlace::path`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a template starts with a slash and has {{client_id}} once, for instance /v1/clients/{{client_id}}")]
pub struct InvalidTemplate;

impl ClientPlace {
    /// A parameter of the query; `client_id` is what the published API uses.
    pub fn query(name: &str) -> ClientPlace {
        ClientPlace(Place::Query(name.into()))
    }

    /// A header.
    ///
    /// # Errors
    ///
    /// When the name can't be a header's.
    pub fn header(name: &str) -> Result<ClientPlace, InvalidHeaderName> {
        Ok(ClientPlace(Place::Header(HeaderName::from_bytes(name.as_bytes())?)))
    }

    /// A segment of the path, as the layer sees it: `/v1/clients/{client_id}` finds the third segment of
    /// every path that begins like this. Other names in braces stand for any one segment.
    ///
    /// # Errors
    ///
    /// [`InvalidTemplate`].
    pub fn path(template: &str) -> Result<ClientPlace, InvalidTemplate> {
        let template = template.strip_prefix('/').ok_or(InvalidTemplate)?;
        let segments: Box<[Segment]> = template.split('/').map(Segment::parse).collect();
        let clients = segments.iter().filter(|segment| **segment == Segment::Client).count();
        if clients == 1 { Ok(ClientPlace(Place::Path(segments))) } else { Err(InvalidTemplate) }
    }

    /// The client that a call names.
    ///
    /// # Errors
    ///
    /// When it names none or one that can't exist ([`Refusal::ClientNotAllowed`]), or several, even if
    /// they are equal.
    pub fn find(&self, headers: &HeaderMap, uri: &Uri) -> Result<ClientId, Refusal> {
        match &self.0 {
            Place::Query(name) => in_query(uri.query().unwrap_or_default(), name),
            Place::Header(name) => {
                let mut values = headers.get_all(name).iter();
                let value = values.next().ok_or(Refusal::ClientNotAllowed)?;
                if values.next().is_some() {
                    return Err(RequestFault::RepeatedClient.into());
                }
                value.to_str().ok().and_then(parse).ok_or(Refusal::ClientNotAllowed)
            }
            Place::Path(segments) => in_path(uri.path(), segments).ok_or(Refusal::ClientNotAllowed),
        }
    }
}

impl Default for ClientPlace {
    /// `client_id` in the query.
    fn default() -> ClientPlace {
        ClientPlace::query("client_id")
    }
}

impl Segment {
    fn parse(text: &str) -> Segment {
        match text {
            "{client_id}" => Segment::Client,
            other if other.starts_with('{') && other.ends_with('}') => Segment::Any,
            other => Segment::Literal(other.into()),
        }
    }
}

fn in_query(query: &str, name: &str) -> Result<ClientId, Refusal> {
    let mut values = query_values(query, name);
    let value = values.next().ok_or(Refusal::ClientNotAllowed)?;
    if values.next().is_some() {
        return Err(RequestFault::RepeatedClient.into());
    }
    decode(value).as_deref().and_then(parse).ok_or(Refusal::ClientNotAllowed)
}

fn in_path(path: &str, template: &[Segment]) -> Option<ClientId> {
    let mut path = path.strip_prefix('/')?.split('/');
    let mut found = None;
    for segment in template {
        let here = path.next()?;
        match segment {
            Segment::Client => {
                let decoded = percent_decode(here.as_bytes()).decode_utf8().ok()?;
                found = Some(parse(&decoded)?);
            }
            Segment::Literal(literal) if **literal != *here => return None,
            Segment::Literal(_) | Segment::Any => {}
        }
    }
    found
}

fn parse(text: &str) -> Option<ClientId> {
    ClientId::parse(text).ok()
}

/// The values, still encoded, of all parameters whose decoded name is `name`.
///
/// Names are decoded as leniently as the most lenient reader behind us would: what it takes for `name`
/// must not be something else here.
pub(crate) fn query_values<'q>(query: &'q str, name: &str) -> impl Iterator<Item = &'q str> {
    query.split('&').filter_map(move |piece| {
        let (found, value) = piece.split_once('=').unwrap_or((piece, ""));
        is_name(found, name).then_some(value)
    })
}

fn is_name(encoded: &str, name: &str) -> bool {
    if encoded.contains(['%', '+']) {
        let spaced = encoded.replace('+', " ");
        percent_decode(spaced.as_bytes()).decode_utf8_lossy() == name
    } else {
        encoded == name
    }
}

fn decode(value: &str) -> Option<std::borrow::Cow<'_, str>> {
    procura_protocol::form::decode(value.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(place: &ClientPlace, uri: &str, headers: &[(&'static str, &str)]) -> Result<String, Refusal> {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        place.find(&parts.headers, &parts.uri).map(String::from)
    }

    const REPEATED: Result<String, Refusal> = Err(Refusal::Request(RequestFault::RepeatedClient));
    const NONE: Result<String, Refusal> = Err(Refusal::ClientNotAllowed);

    #[test]
    fn a_query_names_one_client_in_whatever_spelling() {
        let place = ClientPlace::default();
        for query in
            ["client_id=CLI1", "a&client_id=CLI1&b=", "client%5Fid=CLI%31", "x=client_id&client_id=CLI1"]
        {
            assert_eq!(found(&place, &format!("/quotes?{query}"), &[]), Ok("CLI1".into()), "{query}");
        }
        for query in [
            "client_id=A&client_id=A",
            "client_id=&client_id=A",
            "client%5fid=A&client_id=B",
            "client_id&client_id=A",
        ] {
            assert_eq!(found(&place, &format!("/quotes?{query}"), &[]), REPEATED, "{query}");
        }
        for query in [
            "",
            "client_id",
            "client_id=",
            "Client_id=A",
            "client_id=a%20b",
            "client_id=%zz",
            "client_id=%ff",
            "client_id=app_1",
            "client_id=..",
        ] {
            assert_eq!(found(&place, &format!("/quotes?{query}"), &[]), NONE, "{query}");
        }
        assert_eq!(found(&place, "/quotes", &[("client_id", "CLI1")]), NONE);
    }

    #[test]
    fn a_header_names_one_client() {
        let place = ClientPlace::header("X-Client-ID").unwrap();
        assert_eq!(found(&place, "/?client_id=B", &[("x-client-id", "A")]), Ok("A".into()));
        assert_eq!(found(&place, "/", &[("x-client-id", "A"), ("x-client-id", "A")]), REPEATED);
        for value in ["", "A,B", "A B"] {
            assert_eq!(found(&place, "/", &[("x-client-id", value)]), NONE, "{value}");
        }
        assert_eq!(found(&place, "/?client_id=A", &[]), NONE);
        assert!(ClientPlace::header("a b").is_err());
    }

    #[test]
    fn a_path_names_the_client_where_the_template_says() {
        let place = ClientPlace::path("/{version}/clients/{client_id}").unwrap();
        for path in [
            "/v1/clients/CLI1",
            "/v1/clients/CLI1/payments/7",
            "/2/clients/CLI%31/",
            "/v1/clients/CLI1?client_id=B",
        ] {
            assert_eq!(found(&place, path, &[]), Ok("CLI1".into()), "{path}");
        }
        for path in [
            "/",
            "/v1/clients",
            "/v1/clients/",
            "/v1/clients//x",
            "/v1/Clients/CLI1",
            "/v1/clients/..",
            "/v1/clients/a%2Fb",
            "/v1/x/clients/CLI1",
            "/v1/clients/%ff",
        ] {
            assert_eq!(found(&place, path, &[]), NONE, "{path}");
        }
        for wrong in ["", "clients/{client_id}", "/clients", "/{client_id}/{client_id}"] {
            assert_eq!(ClientPlace::path(wrong), Err(InvalidTemplate), "{wrong}");
        }
    }
}
