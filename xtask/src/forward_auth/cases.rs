//! What a caller tries, and what must come of it.

/// The partner's program.
pub(super) const APPLICATION: &str = "app_partner";
/// The contact that it acts for.
pub(super) const CONTACT: &str = "con.ada";

/// Files to import, in order.
pub(super) const WORLD: [(&str, &str); 5] = [
    ("client", "client_id,client_name\ncli.alder,Alder\ncli.birch,Birch\ncli.cedar,Cedar\n"),
    ("contact", "contact_id\ncon.ada\n"),
    ("mandate", "contact_id,client_id,permissions\ncon.ada,cli.alder,can_trade\ncon.ada,cli.birch,\n"),
    ("application", "application_id,name,trusted\napp_partner,Partner,true\n"),
    (
        "trust",
        "client_id,application_id,contacts,ceiling,reason\ncli.alder,app_partner,*,all,test\n\
         cli.birch,app_partner,*,all,test\ncli.cedar,app_partner,*,all,test\n",
    ),
];

/// A policy that is asked from somewhere else only.
pub(super) const ELSEWHERE: &str = "[forward_auth.elsewhere]\nsource = \"x-original\"\nfrom = [\"127.0.0.2\"]\n\
                                    rules = [{ path = \"/**\", permission = \"read\" }]\n";

const IDENTITY: [&str; 6] = [
    "Procura-Contact",
    "Procura-Application",
    "Procura-Client",
    "Procura-Permissions",
    "Procura-Presence",
    "Procura-Token-Expires",
];
const SOURCES: [&str; 4] = ["X-Original-Method", "X-Original-URI", "X-Forwarded-Method", "X-Forwarded-Uri"];

/// Two access tokens for the same, and an ID token.
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) id: String,
    pub(super) other: String,
}

/// One request.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) request: String,
    expect: Expect,
}

/// What must come of it.
#[derive(Clone, Copy)]
pub(super) enum Expect {
    /// The upstream gets it, with who acts for that client and nothing of what was forged.
    Through(&'static str),
    /// The upstream does not get it, and the caller gets one of these.
    Stopped(&'static [u16]),
    /// One of the two: proxies differ in what they make of it before they ask.
    Either(&'static str),
}

impl Case {
    pub(super) fn new(name: impl Into<String>, request: String, expect: Expect) -> Self {
        Self { name: name.into(), request, expect }
    }

    /// Holds a status and the heads that reached the upstream against what must have come.
    pub(super) fn judge(&self, status: u16, reached: &[String]) -> Result<(), String> {
        match (self.expect, reached) {
            (Expect::Through(client) | Expect::Either(client), [head]) if status == 200 => {
                identity_in(head, client).map_err(|why| format!("{why} in\n{head}"))
            }
            (Expect::Stopped(statuses), []) if statuses.contains(&status) => Ok(()),
            (Expect::Either(_), []) if (400..500).contains(&status) => Ok(()),
            (_, reached) => Err(format!("{status}, and {} requests reached the upstream", reached.len())),
        }
    }
}

/// Whether a head that reached the upstream says who acts, once and truly, whatever its reader makes of
/// small letters and underscores.
fn identity_in(head: &str, client: &str) -> Result<(), String> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let fields: Vec<(String, &str)> =
        fields.map(|(name, value)| (name.to_lowercase().replace('_', "-"), value.trim())).collect();
    let permissions = if client == "cli.alder" { "can_trade" } else { "" };
    let expected = [CONTACT, APPLICATION, client, permissions, "no-person"];
    for (name, value) in IDENTITY.iter().zip(expected) {
        let found: Vec<&str> = values(&fields, name);
        // A proxy may leave out what is empty.
        if found != [value] && !(value.is_empty() && found.is_empty()) {
            return Err(format!("{name} is {found:?}"));
        }
    }
    match values(&fields, "Procura-Token-Expires")[..] {
        [seconds] if seconds.len() == 10 && seconds.bytes().all(|byte| byte.is_ascii_digit()) => {}
        ref other => return Err(format!("Procura-Token-Expires is {other:?}")),
    }
    let known = |name: &str| IDENTITY.iter().any(|known| known.eq_ignore_ascii_case(name));
    let foreign = fields.iter().find(|(name, _)| {
        name.starts_with("procura-") && !known(name)
            || SOURCES.iter().any(|source| source.eq_ignore_ascii_case(name))
    });
    foreign.map_or(Ok(()), |(name, _)| Err(format!("{name} was not deleted")))
}

fn values<'f>(fields: &[(String, &'f str)], name: &str) -> Vec<&'f str> {
    let found = fields.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
    found.map(|(_, value)| *value).collect()
}

/// A request that is let through.
pub(super) fn good(token: &str) -> String {
    request("GET /v1/quotes/EUR?client_id=cli.alder", token, "")
}

/// A request line without its version, the token, and more header lines, each with its line end.
fn request(line: &str, token: &str, more: &str) -> String {
    head(line, &format!("Authorization: Bearer {token}\r\n{more}"))
}

fn head(line: &str, fields: &str) -> String {
    // Whoever names headers in Connection says himself that he closes.
    let connection = if fields.contains("Connection:") { "" } else { "Connection: close\r\n" };
    let length = if line.starts_with("POST") { "Content-Length: 0\r\n" } else { "" };
    format!("{line} HTTP/1.1\r\nHost: quotes.example\r\n{connection}{length}{fields}\r\n")
}

/// What is asked of the proxy.
pub(super) fn through_the_proxy(tokens: &Tokens) -> Vec<Case> {
    let mut cases = let_through(&tokens.access);
    cases.extend(forged_identity(&tokens.access));
    cases.extend(forged_source(&tokens.access));
    cases.extend(wrong_clients(&tokens.access));
    cases.extend(wrong_tokens(tokens));
    cases.extend(wrong_requests(&tokens.access));
    cases
}

fn let_through(token: &str) -> Vec<Case> {
    let case = |name: &str, line: &str, more: &str, client| {
        Case::new(name, request(line, token, more), Expect::Through(client))
    };
    vec![
        case("the right client", "GET /v1/quotes/EUR?client_id=cli.alder", "", "cli.alder"),
        case("the right permission", "POST /v1/quotes?client_id=cli.alder", "", "cli.alder"),
        case("reading needs no permission", "GET /v1/quotes/EUR?client_id=cli.birch", "", "cli.birch"),
        case("HEAD is GET", "HEAD /v1/quotes/EUR?client_id=cli.alder", "", "cli.alder"),
        case("an escaped name", "GET /v1/quotes?client%5Fid=cli%2Ealder", "", "cli.alder"),
        case("an escaped path", "GET /v1/%71uotes/%C3%98?x=1&client_id=cli.alder", "", "cli.alder"),
        case(
            "the contact is named",
            "GET /v1/quotes?client_id=cli.alder",
            "X-Contact-ID: con.ada\r\n",
            "cli.alder",
        ),
    ]
}

/// Every name under which the upstream is told who acts, and those that are between proxy and server, in
/// every guise.
fn forged_identity(token: &str) -> Vec<Case> {
    let names = IDENTITY.into_iter().chain(["Procura-Authorization", "Procura-Reference"]);
    let guises = names.flat_map(|name| {
        let underscored = name.replace('-', "_");
        [
            ("forged", format!("{name}: forged\r\n")),
            ("forged in small letters", format!("{}: forged\r\n", name.to_lowercase())),
            ("forged in capital letters", format!("{}: forged\r\n", name.to_uppercase())),
            ("forged with underscores", format!("{underscored}: forged\r\n")),
            ("forged with one underscore", format!("{}: forged\r\n", name.replacen('-', "_", 1))),
            ("forged twice", format!("{name}: forged\r\n{name}: again\r\n")),
            ("forged and empty", format!("{name}:\r\n")),
            ("named in Connection", format!("Connection: close, {name}\r\n")),
            ("forged and named in Connection", format!("Connection: close, {name}\r\n{name}: forged\r\n")),
        ]
        .map(|(guise, more)| {
            let request = request("GET /v1/quotes/EUR?client_id=cli.alder", token, &more);
            Case::new(format!("{name} {guise}"), request, Expect::Through("cli.alder"))
        })
    });
    guises.collect()
}

/// A request that is refused, beside headers that tell of one that is not.
fn forged_source(token: &str) -> Vec<Case> {
    let (method, uri) = ("GET", "/v1/quotes/EUR?client_id=cli.alder");
    let values = [method, uri, method, uri];
    let mut forged: Vec<(String, String)> = Vec::new();
    for (name, value) in SOURCES.into_iter().zip(values) {
        forged.push((format!("{name} forged"), format!("{name}: {value}\r\n")));
        forged.push((
            format!("{name} forged in small letters"),
            format!("{}: {value}\r\n", name.to_lowercase()),
        ));
        forged.push((
            format!("{name} forged with underscores"),
            format!("{}: {value}\r\n", name.replace('-', "_")),
        ));
        forged.push((format!("{name} forged twice"), format!("{name}: {value}\r\n{name}: {value}\r\n")));
        forged.push((
            format!("{name} named in Connection"),
            format!("Connection: close, {name}\r\n{name}: {value}\r\n"),
        ));
    }
    for [first, second] in [[0, 1], [2, 3]] {
        let (first, second) = (SOURCES[first], SOURCES[second]);
        forged.push((
            format!("{first} and {second} forged"),
            format!("{first}: {method}\r\n{second}: {uri}\r\n"),
        ));
    }
    for name in ["X-Rewrite-URL", "X-Original-URL", "X-Forwarded-Prefix", "X-Envoy-Original-Path"] {
        forged.push((format!("{name} forged"), format!("{name}: {uri}\r\n")));
    }
    let refused = "POST /v1/quotes?client_id=cli.birch";
    let mut cases: Vec<Case> = forged
        .iter()
        .map(|(name, more)| Case::new(name.clone(), request(refused, token, more), Expect::Stopped(&[403])))
        .collect();
    cases.extend(
        forged.iter().filter(|(name, _)| SOURCES.iter().any(|source| name.starts_with(source))).map(
            |(name, more)| {
                let good = request("GET /v1/quotes/EUR?client_id=cli.birch", token, more);
                Case::new(format!("{name}, beside a good request"), good, Expect::Through("cli.birch"))
            },
        ),
    );
    cases
}

fn wrong_clients(token: &str) -> Vec<Case> {
    let queries = [
        ("another's client", "client_id=cli.cedar"),
        ("a client that does not exist", "client_id=cli.none"),
        ("no client", ""),
        ("an empty client", "client_id="),
        ("a client without a value", "client_id"),
        ("a malformed client", "client_id=cli.alder%20"),
        ("two clients", "client_id=cli.alder&client_id=cli.cedar"),
        ("two clients, the right one last", "client_id=cli.cedar&client_id=cli.alder"),
        ("the same client twice", "client_id=cli.alder&client_id=cli.alder"),
        ("a second client with an escaped name", "client_id=cli.alder&client%5Fid=cli.cedar"),
        ("a second client in capital letters", "client_id=cli.alder&CLIENT_ID=cli.cedar"),
        ("a second client with brackets", "client_id=cli.alder&client_id[]=cli.cedar"),
        ("a second client with a dot", "client_id=cli.alder&client.id=cli.cedar"),
        ("a second client behind a semicolon", "client_id=cli.alder;client_id=cli.cedar"),
    ];
    let mut cases: Vec<Case> = queries
        .iter()
        .map(|(name, query)| {
            let line = format!("GET /v1/quotes/EUR?{query}");
            Case::new(*name, request(&line, token, ""), Expect::Stopped(&[403]))
        })
        .collect();
    for name in ["X-Client-ID", "Client-Id"] {
        let request = request("GET /v1/quotes?client_id=cli.alder", token, &format!("{name}: cli.cedar\r\n"));
        cases.push(Case::new(format!("a second client in {name}"), request, Expect::Stopped(&[403])));
    }
    cases
}

fn wrong_tokens(tokens: &Tokens) -> Vec<Case> {
    let line = "GET /v1/quotes/EUR?client_id=cli.alder";
    let token = &tokens.access;
    let case = |name: &str, request: String, statuses| Case::new(name, request, Expect::Stopped(statuses));
    vec![
        case("no token", head(line, ""), &[401]),
        case("Basic instead of Bearer", head(line, "Authorization: Basic YTpi\r\n"), &[401]),
        case("a token that is none", request(line, "a.b.c", ""), &[401]),
        case("a token cut short", request(line, &token[..token.len() - 3], ""), &[401]),
        case("an ID token", request(line, &tokens.id, ""), &[401]),
        case("an empty token", request(line, "", ""), &[401, 403]),
        case(
            "two tokens",
            request(line, token, &format!("Authorization: Bearer {token}\r\n")),
            &[400, 401, 403],
        ),
        case("a token in the query", head(&format!("{line}&access_token={token}"), ""), &[401, 403]),
        case("a token in the query too", request(&format!("{line}&access_token={token}"), token, ""), &[403]),
        case(
            "Authorization named in Connection and absent",
            head(line, "Connection: close, authorization\r\n"),
            &[401],
        ),
        case("another contact", request(line, token, "X-Contact-ID: con.ben\r\n"), &[403]),
        case(
            "the contact twice",
            request(line, token, "X-Contact-ID: con.ada\r\nX-Contact-ID: con.ada\r\n"),
            &[403],
        ),
    ]
}

fn wrong_requests(token: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let lines = [
        ("a permission that is lacking", "POST /v1/quotes?client_id=cli.birch"),
        ("a person that was not there", "POST /v1/payments/1/authorise?client_id=cli.alder"),
        ("a method without a rule", "DELETE /v1/quotes?client_id=cli.alder"),
        ("a path without a rule", "GET /v1/other?client_id=cli.alder"),
        ("capital letters in the path", "GET /v1/Quotes/EUR?client_id=cli.alder"),
        ("another method in the query", "GET /v1/quotes?client_id=cli.alder&_method=POST"),
    ];
    for (name, line) in lines {
        cases.push(Case::new(name, request(line, token, ""), Expect::Stopped(&[403])));
    }
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        let request = request("GET /v1/quotes?client_id=cli.alder", token, &format!("{name}: DELETE\r\n"));
        cases.push(Case::new(name, request, Expect::Stopped(&[403])));
    }
    for path in [
        "/v1/quotes/../payments",
        "/v1/quotes/./EUR",
        "/v1/quotes/%2e%2e/payments",
        "/v1/quotes/%2E%2E%2Fpayments",
        "/v1/quotes/..%2fpayments",
        "/v1/quotes/..%5cpayments",
        "/v1/quotes/%252e%252e/payments",
        "/v1/quotes//EUR",
        "//v1/quotes/EUR",
        "/v1/quotes/EUR;x=y",
        "/v1/quotes/EUR%3bx",
        "/v1/quotes/EUR%00",
        "/v1/quotes/EUR%0d%0a",
        "/v1/quotes/%c0%ae%c0%ae/payments",
        "/v1/quotes/%zz",
        "/v1/quotes\\EUR",
        "/_procura",
        "/_procura/x",
    ] {
        let line = format!("GET {path}?client_id=cli.alder");
        cases.push(Case::new(
            format!("the path {path}"),
            request(&line, token, ""),
            Expect::Stopped(&[400, 403, 404]),
        ));
    }
    for line in [
        "GET /v1/quotes/EUR?client_id=cli.alder#/../x",
        "GET http://quotes.example/v1/quotes/EUR?client_id=cli.alder",
        "GET http://user@elsewhere.example/v1/quotes/EUR?client_id=cli.alder",
        "get /v1/quotes/EUR?client_id=cli.alder",
    ] {
        cases.push(Case::new(line, request(line, token, ""), Expect::Either("cli.alder")));
    }
    cases
}

/// What is asked of the server itself, and the status that must come: by callers who may not, and in the
/// shapes in which proxies ask that are not run here.
pub(super) fn asked_directly(
    Tokens { access: token, .. }: &Tokens,
    (resource, application): (&str, &str),
) -> Vec<(String, String, u16)> {
    let original = "X-Original-Method: GET\r\nX-Original-URI: /v1/quotes?client_id=cli.alder\r\n";
    let forwarded = "X-Forwarded-Method: POST\r\nX-Forwarded-Uri: /v1/quotes?client_id=cli.alder\r\n\
                     X-Forwarded-Proto: https\r\nX-Forwarded-Host: quotes.example\r\nX-Forwarded-For: 203.0.113.9\r\n";
    let traefik = |credential: &str| format!("{forwarded}Procura-Authorization: {credential}\r\n");
    let asked: [(&str, &str, String, u16); 13] = [
        ("from an address that may not", "GET /forward-auth/elsewhere", original.to_owned(), 403),
        (
            "from an address that may not, which says that it may",
            "GET /forward-auth/elsewhere",
            format!("{original}X-Forwarded-For: 127.0.0.2\r\nX-Real-IP: 127.0.0.2\r\n"),
            403,
        ),
        ("a policy that does not exist", "GET /forward-auth/none", original.to_owned(), 404),
        ("the headers of another source", "GET /forward-auth/caddy", original.to_owned(), 403),
        ("without a credential", "GET /forward-auth/traefik", forwarded.to_owned(), 403),
        ("with a wrong credential", "GET /forward-auth/traefik", traefik("Basic YTpi"), 403),
        ("with an application's credential", "GET /forward-auth/traefik", traefik(application), 403),
        ("as Traefik asks", "GET /forward-auth/traefik", traefik(resource), 200),
        ("as Envoy asks", "POST /forward-auth/envoy/v1/quotes?client_id=cli.alder", String::new(), 200),
        (
            "as Envoy asks for a client that is not the token's",
            "GET /forward-auth/envoy/v1/quotes?client_id=cli.cedar",
            String::new(),
            403,
        ),
        (
            "as Envoy asks about dots",
            "GET /forward-auth/envoy/v1/../quotes?client_id=cli.alder",
            String::new(),
            403,
        ),
        (
            "as Envoy asks about another policy by dots",
            "GET /forward-auth/envoy/../caddy?client_id=cli.alder",
            forwarded.to_owned(),
            403,
        ),
        ("as Envoy asks about nothing", "GET /forward-auth/envoy", String::new(), 403),
    ];
    let cases = asked.into_iter().map(|(name, line, more, status)| {
        (format!("asked directly {name}"), request(line, token, &more), status)
    });
    cases.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_of(more: &str) -> String {
        format!(
            "GET / HTTP/1.1\r\nprocura-contact: con.ada\r\nprocura-application: app_partner\r\n\
             Procura-Client: cli.birch\r\nProcura-Presence: no-person\r\nProcura-Token-Expires: 1767225600\r\n{more}\r\n"
        )
    }

    #[test]
    fn whatever_of_a_forgery_reaches_the_upstream_is_seen() {
        assert_eq!(
            identity_in(&head_of("Procura-Permissions:\r\nX-Forwarded-For: a\r\n"), "cli.birch"),
            Ok(())
        );
        for more in [
            "Procura_Client: forged\r\n",
            "PROCURA-CLIENT: cli.birch\r\n",
            "Procura-Permissions: forged\r\n",
            "Procura-Other: forged\r\n",
            "X-Original-Uri: /\r\n",
            "x_forwarded_method: GET\r\n",
        ] {
            assert!(identity_in(&head_of(more), "cli.birch").is_err(), "{more}");
        }
        assert!(identity_in(&head_of(""), "cli.alder").is_err());
        assert!(identity_in("GET / HTTP/1.1\r\n", "cli.birch").is_err());
    }

    #[test]
    fn there_are_many_cases_and_each_has_its_own_name() {
        let tokens = Tokens { access: "a".repeat(9), id: "b".into(), other: "c".into() };
        let cases = through_the_proxy(&tokens);
        let names: std::collections::BTreeSet<&str> = cases.iter().map(|case| &*case.name).collect();
        assert_eq!(names.len(), cases.len());
        assert!(cases.len() > 150, "{}", cases.len());
    }
}
