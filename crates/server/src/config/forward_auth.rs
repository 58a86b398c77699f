//! `[forward_auth.NAME]`: what proxies may let through (`docs/forward-auth.md`). Only files have policies:
//! no environment has room for them.

use std::collections::BTreeMap;

use procura_http::forward_auth::{
    BaseUrl, Callers, CertificateFormat, CertificateHeader, ClientPlace, Methods, Need, Pattern, Policy,
    Rule, Source,
};
use procura_http::network::{InvalidNetwork, Network};
use procura_protocol::ids::ResourceId;
use procura_protocol::permission::Permission;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::unknown;
use super::reference::nearest;
use super::{ConfigError, Origin};

/// The table that holds them.
pub(crate) const TABLE: &str = "forward_auth";

const KEYS: [&str; 8] =
    ["audience", "source", "client_id", "certificate_header", "url", "from", "credential", "rules"];
const RULE_KEYS: [&str; 4] = ["methods", "path", "permission", "person"];
const PLACES: [&str; 3] = ["query", "path", "header"];
const FORMATS: [&str; 2] = [CertificateFormat::ALL[0].0, CertificateFormat::ALL[1].0];
/// The word for authority to read, where no permission is needed.
const READ: &str = "read";

/// A policy and where it was told.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The policy.
    pub(crate) policy: Policy,
    /// Its table.
    pub(crate) origin: Origin,
}

/// What stands at a place of the file.
struct Found<'f> {
    value: &'f DeValue<'f>,
    path: String,
    origin: Origin,
}

/// Reads all policies. `at` says what a place in the text is called.
pub(super) fn read(table: &DeTable<'_>, at: &dyn Fn(usize) -> Origin) -> Result<Vec<Told>, ConfigError> {
    let tables = table.iter().map(|(name, value)| {
        let origin = at(name.span().start);
        let path = format!("{TABLE}.{}", name.get_ref());
        let found = Found { value: value.get_ref(), path, origin: origin.clone() };
        Ok(Told { policy: policy(name.get_ref(), &found, at)?, origin })
    });
    tables.collect()
}

fn policy(name: &str, found: &Found<'_>, at: &dyn Fn(usize) -> Origin) -> Result<Policy, ConfigError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        return Err(found.wrong("must be named with letters, digits, _ and -"));
    }
    let keys = found.members(&KEYS, at)?;
    let callers = Callers {
        from: keys.get("from").map_or(Ok(Vec::new()), |from| from.each(at, network))?,
        credential: keys.get("credential").map_or(Ok(false), Found::truth)?,
    };
    if !callers.is_named() {
        return Err(found.wrong(
            "must say who may ask: `from` with the proxy's addresses, `credential = true`, or both; else anybody \
             could try tokens here",
        ));
    }
    let rules = match keys.get("rules") {
        Some(rules) => rules.each(at, |found| rule(found, at))?,
        None => Vec::new(),
    };
    if rules.is_empty() {
        return Err(found.wrong("must have `rules`: what none of them names is refused"));
    }
    Ok(Policy {
        name: name.into(),
        audience: keys.get("audience").map(audience).transpose()?,
        source: source(keys.get("source").ok_or_else(|| found.wrong(NO_SOURCE))?)?,
        client: keys.get("client_id").map_or(Ok(ClientPlace::default()), |place| client_place(place, at))?,
        certificate: keys.get("certificate_header").map(|found| certificate_header(found, at)).transpose()?,
        reached_at: keys.get("url").map_or(Ok(Vec::new()), |url| urls(url, at))?,
        callers,
        rules,
    })
}

const NO_SOURCE: &str =
    "must have a `source`: x-original, x-forwarded or request-line, whichever the proxy overwrites";

fn audience(found: &Found<'_>) -> Result<ResourceId, ConfigError> {
    ResourceId::parse(found.text()?).map_err(|why| found.wrong(&format!("names a resource that {why}")))
}

fn source(found: &Found<'_>) -> Result<Source, ConfigError> {
    let text = found.text()?;
    let known = Source::ALL.into_iter().find(|(name, _)| *name == text);
    known.map(|(_, source)| source).ok_or_else(|| {
        let names = Source::ALL.map(|(name, _)| name);
        let wrong = format!("must be one of: {}", names.join(", "));
        found.wrong(&with_hint(&wrong, nearest(text, names.into_iter())))
    })
}

fn client_place(found: &Found<'_>, at: &dyn Fn(usize) -> Origin) -> Result<ClientPlace, ConfigError> {
    let places = found.members(&PLACES, at)?;
    let mut places = places.into_iter();
    let (Some((kind, place)), None) = (places.next(), places.next()) else {
        return Err(found.wrong("must name one place, for instance { query = \"client_id\" }"));
    };
    let text = place.text()?;
    let read = match kind {
        "query" => ClientPlace::query(text),
        "header" => ClientPlace::header(text),
        _ => ClientPlace::path(Pattern::parse(text).map_err(|why| place.wrong(&why.to_string()))?),
    };
    read.map_err(|why| place.wrong(&why.to_string()))
}

fn certificate_header(
    found: &Found<'_>,
    at: &dyn Fn(usize) -> Origin,
) -> Result<CertificateHeader, ConfigError> {
    let mut formats = found.members(&FORMATS, at)?.into_iter();
    let (Some((format, name)), None) = (formats.next(), formats.next()) else {
        return Err(found.wrong("must name one header, for instance { rfc9440 = \"Client-Cert\" }"));
    };
    // The members are named by the formats, so there is always one.
    let known = CertificateFormat::ALL.into_iter().find(|(known, _)| *known == format);
    let format = known.map_or(CertificateFormat::Rfc9440, |(_, format)| format);
    CertificateHeader::parse(name.text()?, format).map_err(|why| name.wrong(&why.to_string()))
}

/// One, or a list of them. An empty one would look like a policy that takes proofs, and refuse every proof.
fn urls(found: &Found<'_>, at: &dyn Fn(usize) -> Origin) -> Result<Vec<BaseUrl>, ConfigError> {
    match found.value {
        DeValue::Array(list) if list.is_empty() => Err(found.wrong(
            "is empty: name where callers reach the API, or leave it out where no token is bound to a key",
        )),
        DeValue::Array(_) => found.each(at, url),
        _ => url(found).map(|url| vec![url]),
    }
}

fn url(found: &Found<'_>) -> Result<BaseUrl, ConfigError> {
    BaseUrl::parse(found.text()?).map_err(|why| found.wrong(&why.to_string()))
}

fn network(found: &Found<'_>) -> Result<Network, ConfigError> {
    found.text()?.parse().map_err(|why: InvalidNetwork| found.wrong(&why.to_string()))
}

fn rule(found: &Found<'_>, at: &dyn Fn(usize) -> Origin) -> Result<Rule, ConfigError> {
    let keys = found.members(&RULE_KEYS, at)?;
    let path =
        keys.get("path").ok_or_else(|| found.wrong("must have a `path`, for instance \"/v1/quotes/**\""))?;
    let permission =
        keys.get("permission").ok_or_else(|| found.wrong("must name a `permission`, or say \"read\""))?;
    let methods = match keys.get("methods") {
        Some(names) => {
            let list = names.each(at, |name| name.text().map(str::to_owned))?;
            if list.is_empty() {
                return Err(names.wrong("is empty: leave it out for every method"));
            }
            Methods::of(list.iter().map(String::as_str)).map_err(|why| names.wrong(&format!("{why}")))?
        }
        None => Methods::default(),
    };
    Ok(Rule {
        methods,
        path: Pattern::parse(path.text()?).map_err(|why| path.wrong(&why.to_string()))?,
        need: Need {
            permission: needed(permission)?,
            person: keys.get("person").map_or(Ok(false), Found::truth)?,
        },
    })
}

fn needed(found: &Found<'_>) -> Result<Option<Permission>, ConfigError> {
    let text = found.text()?;
    if text == READ {
        return Ok(None);
    }
    Permission::from_name(text).map(Some).ok_or_else(|| {
        let names = Permission::ALL.iter().map(|permission| permission.name()).chain([READ]);
        found.wrong(&with_hint("must be a permission, or \"read\"", nearest(text, names)))
    })
}

fn with_hint(wrong: &str, near: Option<&str>) -> String {
    near.map_or_else(|| wrong.to_owned(), |near| format!("{wrong}; did you mean {near}?"))
}

impl<'f> Found<'f> {
    fn wrong(&self, why: &str) -> ConfigError {
        ConfigError::new(&self.origin, &format!("{} {why}", self.path))
    }

    fn text(&self) -> Result<&'f str, ConfigError> {
        match self.value {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong("must be a text, in quotes")),
        }
    }

    fn truth(&self) -> Result<bool, ConfigError> {
        match self.value {
            DeValue::Boolean(truth) => Ok(*truth),
            _ => Err(self.wrong("must be true or false, without quotes")),
        }
    }

    /// Reads every element of a list.
    fn each<T>(
        &self,
        at: &dyn Fn(usize) -> Origin,
        read: impl Fn(&Found<'f>) -> Result<T, ConfigError>,
    ) -> Result<Vec<T>, ConfigError> {
        let DeValue::Array(list) = self.value else { return Err(self.wrong("must be a list, in brackets")) };
        let element = |(number, value): (usize, &'f Spanned<DeValue<'f>>)| {
            let path = format!("{}[{number}]", self.path);
            read(&Found { value: value.get_ref(), path, origin: at(value.span().start) })
        };
        (1..).zip(list.iter()).map(element).collect()
    }

    /// The members of a table, all of which are known.
    fn members(
        &self,
        known: &[&'static str],
        at: &dyn Fn(usize) -> Origin,
    ) -> Result<BTreeMap<&'static str, Found<'f>>, ConfigError> {
        let DeValue::Table(table) = self.value else {
            return Err(self.wrong(&format!("must be a table with {}", known.join(", "))));
        };
        let member = |(key, value): (&'f Spanned<_>, &'f Spanned<DeValue<'f>>)| {
            let name: &std::borrow::Cow<'f, str> = key.get_ref();
            let (path, origin) = (format!("{}.{name}", self.path), at(key.span().start));
            match known.iter().find(|known| ***known == **name) {
                Some(known) => Ok((*known, Found { value: value.get_ref(), path, origin })),
                None => {
                    let near = nearest(name, known.iter().copied());
                    Err(unknown(&origin, &format!("{path} is no setting"), near))
                }
            }
        };
        table.iter().map(member).collect()
    }
}

impl Told {
    /// What the policy is, in a line.
    pub(crate) fn summary(&self) -> String {
        let Policy { audience, source, client, callers, rules, certificate, reached_at, .. } = &self.policy;
        let source = Source::ALL.iter().find(|(_, known)| known == source).map_or("", |(name, _)| name);
        let client = match client {
            ClientPlace::Query(name) => format!("query {name}"),
            ClientPlace::Path(pattern) => format!("path {}", pattern.as_str()),
            ClientPlace::Header(name) => format!("header {name}"),
        };
        let mut who: Vec<String> = callers.from.iter().map(ToString::to_string).collect();
        who.extend(callers.credential.then(|| "credential".to_owned()));
        let audience = audience.as_ref().map_or("built-in resource", |audience| audience.as_str());
        let (who, rules) = (who.join(" "), rules.len());
        let certificate = certificate.as_ref().map_or_else(String::new, |header| {
            let format = CertificateFormat::ALL.iter().find(|(_, format)| *format == header.format());
            format!("; certificate in header {} ({})", header.name(), format.map_or("", |(name, _)| name))
        });
        let urls: Vec<&str> = reached_at.iter().map(BaseUrl::as_str).collect();
        let urls = if urls.is_empty() { String::new() } else { format!("; reached at {}", urls.join(" ")) };
        format!(
            "audience {audience}; source {source}; client_id in {client}{certificate}{urls}; asked by {who}; rules {rules}"
        )
    }

    /// Its name among settings.
    pub(crate) fn path(&self) -> String {
        format!("{TABLE}.{}", self.policy.name)
    }
}

/// A policy, explained, for the reference. Commented out: without a proxy there is none.
pub(super) const REFERENCE: &str = "
# What proxies may let through to resources in any language; docs/forward-auth.md has the proxies' side.
# A table for each policy, by whose name the proxy asks: /forward-auth/quotes.
#
#   [forward_auth.quotes]
#   # The resource whose tokens are taken. Without it: the built-in one.
#   audience = \"https://quotes.example\"
#   # Where the proxy puts the original method and URI. x-original: X-Original-Method and X-Original-URI.
#   # x-forwarded: X-Forwarded-Method and X-Forwarded-Uri. request-line: the request's own method, and the
#   # URI after /forward-auth/quotes.
#   source = \"x-original\"
#   # Where the client's id stands: query, header, or path with {client_id} in a pattern.
#   client_id = { query = \"client_id\" }
#   # Where the proxy passes on the certificate of its caller, for tokens that are bound to one: rfc9440
#   # (Client-Cert), or nginx-escaped-pem ($ssl_client_escaped_cert). The proxy must overwrite the header, and
#   # only who may ask is believed. Without it bound tokens are refused.
#   certificate_header = { rfc9440 = \"Client-Cert\" }
#   # Where callers reach the API, for tokens that are bound to a key (DPoP): their proofs name the whole URL. One, or
#   # a list. Without it such tokens are refused.
#   url = \"https://quotes.example\"
#   # Who may ask: addresses, credential = true (the resource's id and secret as Basic in
#   # Procura-Authorization), or both.
#   from = [\"127.0.0.1\"]
#   # The first rule that fits decides, and what none fits is refused. {name} is one segment, ** the rest.
#   rules = [
#     { methods = [\"GET\"], path = \"/v1/quotes/**\", permission = \"read\" },
#     { methods = [\"POST\"], path = \"/v1/quotes\", permission = \"can_trade\" },
#     { path = \"/v1/payments/{id}/authorise\", permission = \"can_authorise_payments\", person = true },
#   ]
";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Values;
    use crate::config::file::read_text;

    const GOOD: &str = "[forward_auth.quotes]\nsource = \"x-original\"\nfrom = [\"127.0.0.1\", \"10.0.0.0/8\"]\n\
                        rules = [{ path = \"/**\", permission = \"read\" }]\n";

    fn read(text: &str) -> Result<Vec<Told>, String> {
        let mut values = Values::defaults();
        read_text(&mut values, Path::new("p.toml"), text).map_err(|error| error.to_string())?;
        Ok(values.forward_auth)
    }

    fn told(text: &str) -> String {
        read(text).err().unwrap_or_else(|| "fine".to_owned())
    }

    #[test]
    fn the_policy_of_the_reference_reads() {
        let text: String = REFERENCE
            .lines()
            .filter_map(|line| line.strip_prefix("#   "))
            .map(|line| format!("{line}\n"))
            .collect();
        let policies = read(&text).unwrap();
        assert_eq!(policies.len(), 1);
        assert_eq!(
            policies[0].summary(),
            "audience https://quotes.example; source x-original; client_id in query client_id; certificate in header \
             client-cert (rfc9440); reached at https://quotes.example; asked by 127.0.0.1; rules 3"
        );
        let policy = &policies[0].policy;
        assert_eq!(policy.rules[1].need, Need::permission(Permission::Trade));
        assert!(policy.rules[2].need.person && policy.rules[2].methods.names().next().is_none());
    }

    #[test]
    fn the_policies_that_the_documentation_shows_read() {
        let policies = read(include_str!("../../../../docs/forward-auth/procura.toml")).unwrap();
        let names: Vec<&str> = policies.iter().map(|told| &*told.policy.name).collect();
        assert_eq!(names, ["caddy", "envoy", "nginx", "traefik"]);
    }

    #[test]
    fn rules_may_be_tables_of_their_own() {
        let (head, _) = GOOD.split_once("rules").unwrap();
        let rule = "[[forward_auth.quotes.rules]]\npath = \"/a\"\npermission = \"read\"\n";
        assert_eq!(read(&format!("{head}{rule}{rule}")).unwrap()[0].policy.rules.len(), 2);
    }

    #[test]
    fn every_place_of_a_client_reads() {
        let places = [
            ("{ query = \"client\" }", ClientPlace::query("client").unwrap()),
            ("{ header = \"X-Client-ID\" }", ClientPlace::header("x-client-id").unwrap()),
            (
                "{ path = \"/c/{client_id}/**\" }",
                ClientPlace::path(Pattern::parse("/c/{client_id}/**").unwrap()).unwrap(),
            ),
        ];
        for (text, place) in places {
            let policies = read(&format!("{GOOD}client_id = {text}\n")).unwrap();
            assert_eq!(policies[0].policy.client, place);
        }
    }

    #[test]
    fn a_certificate_comes_in_one_header_of_a_known_format() {
        for (text, format) in [
            ("{ rfc9440 = \"Client-Cert\" }", CertificateFormat::Rfc9440),
            ("{ nginx-escaped-pem = \"client-cert\" }", CertificateFormat::NginxEscapedPem),
        ] {
            let policies = read(&format!("{GOOD}certificate_header = {text}\n")).unwrap();
            let expected = CertificateHeader::parse("client-cert", format).unwrap();
            assert_eq!(policies[0].policy.certificate, Some(expected));
        }
        assert_eq!(read(GOOD).unwrap()[0].policy.certificate, None);
        for wrong in [
            "\"Client-Cert\"",
            "{}",
            "{ rfc9440 = \"a\", nginx-escaped-pem = \"b\" }",
            "{ pem = \"a\" }",
            "{ rfc9440 = \"a b\" }",
            "{ rfc9440 = \"Authorization\" }",
            "{ rfc9440 = true }",
        ] {
            let why = told(&format!("{GOOD}certificate_header = {wrong}\n"));
            assert!(why.starts_with("p.toml:5: forward_auth.quotes.certificate_header"), "{why}");
        }
    }

    #[test]
    fn an_empty_list_of_urls_is_refused_and_one_or_several_are_taken() {
        let why = told(&format!("{GOOD}url = []\n"));
        assert!(why.starts_with("p.toml:5: forward_auth.quotes.url is empty"), "{why}");
        for (text, urls) in
            [("\"https://a.example\"", 1), ("[\"https://a.example\", \"https://b.example/x\"]", 2)]
        {
            let policies = read(&format!("{GOOD}url = {text}\n")).unwrap();
            assert_eq!(policies[0].policy.reached_at.len(), urls);
        }
    }

    #[test]
    fn a_policy_that_anybody_could_ask_is_refused() {
        let open = GOOD.replace("from = [\"127.0.0.1\", \"10.0.0.0/8\"]\n", "");
        assert!(
            told(&open).starts_with("p.toml:1: forward_auth.quotes must say who may ask"),
            "{}",
            told(&open)
        );
        for nobody in ["from = []\n", "credential = false\n"] {
            assert!(told(&format!("{open}{nobody}")).contains("must say who may ask"), "{nobody}");
        }
        assert_eq!(told(&format!("{open}credential = true\n")), "fine");
    }

    #[test]
    fn a_slip_is_told_with_its_line_and_what_was_meant() {
        let slips = [
            (("source", "sorce"), "p.toml:2: forward_auth.quotes.sorce is no setting; did you mean source?"),
            (
                ("x-original", "x-origin"),
                "p.toml:2: forward_auth.quotes.source must be one of: x-original, x-forwarded, request-line; did you mean x-original?",
            ),
            (
                ("10.0.0.0/8", "10.0.0.1/8"),
                "p.toml:3: forward_auth.quotes.from[2] has bits behind its prefix: write the first address of the network",
            ),
            (
                ("\"read\"", "\"can_trad\""),
                "p.toml:4: forward_auth.quotes.rules[1].permission must be a permission, or \"read\"; did you mean can_trade?",
            ),
            (
                ("path", "paht"),
                "p.toml:4: forward_auth.quotes.rules[1].paht is no setting; did you mean path?",
            ),
            (("/**", "v1"), "p.toml:4: forward_auth.quotes.rules[1].path must begin with a slash"),
            (
                (", permission = \"read\"", ""),
                "p.toml:4: forward_auth.quotes.rules[1] must name a `permission`, or say \"read\"",
            ),
            (
                ("permission", "methods = [\"get\"], permission"),
                "p.toml:4: forward_auth.quotes.rules[1].methods must be a method in capital letters, for instance POST",
            ),
            (
                ("forward_auth.quotes", "forward_auth.\"a b\""),
                "p.toml:1: forward_auth.a b must be named with letters, digits, _ and -",
            ),
            (
                ("[forward_auth.quotes]", "[[forward_auth]]"),
                "p.toml:1: forward_auth must be tables with names, for instance [forward_auth.quotes]",
            ),
            (
                ("forward_auth.quotes", "foward_auth.quotes"),
                "p.toml:1: [foward_auth] is no table; did you mean forward_auth?",
            ),
        ];
        for ((right, slip), message) in slips {
            assert_eq!(told(&GOOD.replacen(right, slip, 1)), message);
        }
        for missing in ["source = \"x-original\"\n", "rules = [{ path = \"/**\", permission = \"read\" }]\n"]
        {
            assert!(told(&GOOD.replace(missing, "")).contains("forward_auth.quotes must have"), "{missing}");
        }
    }
}
