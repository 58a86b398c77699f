//! The commands that the demo prints: one for each door and each way to go through it, as they can be pasted.
//!
//! What curl can do is done by curl. Where something must be signed, `procura` signs it.

use std::path::Path;

use super::certificates::Files;
use super::told::Told;
use super::{proofs, sample};

/// Takes the access token out of an answer.
const TOKEN_OF: &str = r#"sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p'"#;

/// Commands under a title, each with what it does.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) commands: Vec<(&'static str, String)>,
}

/// What the commands have in common.
pub(super) struct Shell<'a> {
    told: &'a Told,
    /// The program, as it can be pasted also when it is not on the PATH.
    pub(super) procura: String,
    curl: String,
    contact: &'static str,
    files: Option<Files>,
}

impl<'a> Shell<'a> {
    pub(super) fn of(told: &'a Told) -> Shell<'a> {
        let files = told.files();
        // Programs know a CA of today from nobody but us.
        let curl = match &files {
            Some(files) => format!("curl -sS --cacert {}", word(&files.ca())),
            None => "curl -sS".to_owned(),
        };
        Shell {
            told,
            procura: std::env::current_exe().map_or_else(|_| "procura".into(), |path| word(&path)),
            curl,
            contact: sample::ALLOWED.first().map_or("", |allowed| allowed.contact),
            files,
        }
    }

    pub(super) fn groups(&self) -> Vec<Group> {
        let files = self.files.as_ref().zip(self.told.secrets.beside.as_ref());
        let more = files.map(|(files, beside)| WithTls {
            shell: self,
            files,
            beside_certificate: &beside.certificate,
            beside_proof: &beside.proof,
        });
        let more = more.as_ref();
        let with = |mut commands: Vec<_>, more: Option<Vec<_>>| {
            commands.extend(more.unwrap_or_default());
            commands
        };
        let mut groups = vec![
            Group {
                title: "A token to act for one contact, who has three companies, at /token/{contact_id}",
                commands: with(self.contact_token(), more.map(WithTls::contact_token)),
            },
            Group {
                title: "A token of the application's own, at /token",
                commands: with(self.own_token(), more.map(WithTls::own_token)),
            },
        ];
        if let Some(more) = more {
            groups.push(Group {
                title: "A token to act for the contact by an assertion (JWT bearer grant), at /token",
                commands: more.grant("jwt-bearer"),
            });
            groups.push(Group {
                title: "The same assertion exchanged (token exchange), at /token",
                commands: more.grant("token-exchange"),
            });
        }
        groups.push(Group {
            title: "Use a token at the server's own API, which lists the companies",
            commands: with(self.use_of_tokens(), more.map(WithTls::use_of_tokens)),
        });
        groups.push(Group { title: "Look at a token, and end it", commands: self.look() });
        groups
    }

    fn contact_token(&self) -> Vec<(&'static str, String)> {
        let Shell { curl, contact, procura, .. } = self;
        let (application, secret, payments) =
            (sample::APPLICATION, self.told.secrets.application.as_str(), sample::PAYMENTS);
        let (url, common) = (self.url_of_contact(), self.common(application));
        vec![
            ("By a secret", format!("{curl} -u {application}:{secret} -X POST {url}")),
            (
                "With the secret in the form",
                format!("{curl} -d client_id={application} -d client_secret={secret} {url}"),
            ),
            (
                "As a partner's program does it, through the SDK",
                format!("PROCURA_SECRET={secret} {procura} token {contact} {common}"),
            ),
            (
                "For an API of your own",
                format!("{curl} -u {application}:{secret} -d resource={payments} {url}"),
            ),
        ]
    }

    fn own_token(&self) -> Vec<(&'static str, String)> {
        let (curl, application) = (&self.curl, sample::APPLICATION);
        let secret = self.told.secrets.application.as_str();
        let own = format!(
            "{curl} -u {application}:{secret} -d grant_type=client_credentials {}",
            self.url_of_token()
        );
        vec![("By a secret", own)]
    }

    fn use_of_tokens(&self) -> Vec<(&'static str, String)> {
        let (curl, application) = (&self.curl, sample::APPLICATION);
        let secret = self.told.secrets.application.as_str();
        let ask = format!("{curl} -u {application}:{secret} -X POST {}", self.url_of_contact());
        let call =
            format!(r#"{curl} -H "Authorization: Bearer $({ask} | {TOKEN_OF})" {}"#, self.url_of_clients());
        vec![("One that is bound to nothing", call)]
    }

    fn look(&self) -> Vec<(&'static str, String)> {
        let (curl, application, base) = (&self.curl, sample::APPLICATION, &self.told.base_url);
        let (secret, payments) =
            (self.told.secrets.application.as_str(), self.told.secrets.payments.as_str());
        let ask = format!(
            "{curl} -u {application}:{secret} -d resource={} {}",
            sample::PAYMENTS,
            self.url_of_contact()
        );
        vec![
            ("The keys that verify it", format!("{curl} {base}/jwks")),
            (
                "Whether it is in force, asked by the application; write a token that it got in the place of ACCESS_TOKEN",
                format!("{curl} -u {application}:{secret} -d token=ACCESS_TOKEN {base}/introspect"),
            ),
            (
                "The same asked by an API of your own, which proves itself by a secret too",
                format!(
                    "{curl} -u {api}:{payments} -d token=$({ask} | {TOKEN_OF}) {base}/introspect",
                    api = form_encoded(sample::PAYMENTS)
                ),
            ),
            (
                "Its end, at once; write the token in the place of ACCESS_TOKEN, for of anything else it says nothing",
                format!("{curl} -u {application}:{secret} -d token=ACCESS_TOKEN {base}/revoke"),
            ),
        ]
    }

    /// What each command of the SDK needs.
    fn common(&self, application: &str) -> String {
        let issuer = &self.told.issuer;
        match &self.files {
            Some(files) => {
                format!("--issuer {issuer} --application {application} --ca {}", word(&files.ca()))
            }
            None => format!("--issuer {issuer} --application {application}"),
        }
    }

    fn url_of_contact(&self) -> String {
        format!("{}/token/{}", self.told.base_url, self.contact)
    }

    fn url_of_token(&self) -> String {
        format!("{}/token", self.told.base_url)
    }

    fn url_of_clients(&self) -> String {
        format!("{}/clients", self.told.base_url)
    }
}

/// The commands that need certificates or keys.
struct WithTls<'a> {
    shell: &'a Shell<'a>,
    files: &'a Files,
    beside_certificate: &'a str,
    beside_proof: &'a str,
}

impl WithTls<'_> {
    fn contact_token(&self) -> Vec<(&'static str, String)> {
        let (Shell { curl, contact, procura, .. }, url) = (self.shell, self.shell.url_of_contact());
        let (partner, two) = (shown(&self.files.partner()), proofs::TWO_FACTORS);
        let by_proof = self.proof("POST", &url);
        let (signing, proving) = (word(&self.files.signing()), word(&self.files.proving()));
        let by_key = |application, more: &str| {
            let common = self.shell.common(application);
            format!("{procura} token {contact} {common} --assertion-key {signing}{more}")
        };
        vec![
            (
                "By a certificate alone that the demo's CA issued",
                format!("{curl} {partner} -d client_id={} {url}", sample::BY_CERTIFICATE),
            ),
            (
                "By a certificate that nobody issued, and that is registered itself",
                format!(
                    "{curl} {} -d client_id={} {url}",
                    shown(&self.files.self_signed()),
                    proofs::SELF_SIGNED
                ),
            ),
            (
                "By a secret and a certificate together, neither of which is enough",
                format!("{curl} {partner} -u {two}:{} -X POST {url}", self.beside_certificate),
            ),
            ("By an assertion that is signed for this one request", by_key(proofs::SIGNING, "")),
            (
                "By a secret, bound to a key (DPoP)",
                format!("{curl} {by_proof} -u {} -X POST {url}", self.with_proofs()),
            ),
            (
                "By a certificate, bound to it and to a key",
                format!("{curl} {partner} {by_proof} -d client_id={} {url}", proofs::BOUND_TWICE),
            ),
            (
                "In the profile fapi2, by an assertion and bound to a key",
                by_key(proofs::FAPI_SIGNING, &format!(" --dpop-key {proving}")),
            ),
            (
                "In the profile fapi2, by a certificate and bound to it",
                format!("{curl} {partner} -d client_id={} {url}", proofs::FAPI_CERTIFICATE),
            ),
        ]
    }

    fn own_token(&self) -> Vec<(&'static str, String)> {
        let (curl, url) = (&self.shell.curl, self.shell.url_of_token());
        let grant = "-d grant_type=client_credentials";
        vec![
            (
                "By a secret, bound to a key",
                format!("{curl} {} -u {} {grant} {url}", self.proof("POST", &url), self.with_proofs()),
            ),
            (
                "By a certificate, bound to it",
                format!(
                    "{curl} {} -d client_id={} {grant} {url}",
                    shown(&self.files.partner()),
                    proofs::FAPI_CERTIFICATE
                ),
            ),
        ]
    }

    /// By a grant that an assertion asks for; `door` is what the SDK calls it.
    fn grant(&self, door: &str) -> Vec<(&'static str, String)> {
        let (Shell { contact, procura, told, .. }, signing) = (self.shell, word(&self.files.signing()));
        let token = |application| {
            let common = self.shell.common(application);
            format!("{procura} token {contact} {common} --door {door} --grant-key {signing}")
        };
        let bound = format!("--dpop-key {}", word(&self.files.proving()));
        let (secret, beside) = (told.secrets.application.as_str(), self.beside_proof);
        let partner = self.files.partner();
        let certificate =
            format!("--certificate {} --key {}", word(&partner), word(&Files::key_of(&partner)));
        vec![
            ("By a secret", format!("PROCURA_SECRET={secret} {}", token(sample::APPLICATION))),
            (
                "By a secret, bound to a key",
                format!("PROCURA_SECRET={beside} {} {bound}", token(proofs::WITH_PROOFS)),
            ),
            (
                "In the profile fapi2, by another assertion and bound to a key",
                format!("{} --assertion-key {signing} {bound}", token(proofs::FAPI_SIGNING)),
            ),
            (
                "In the profile fapi2, by a certificate and bound to it",
                format!("{} {certificate}", token(proofs::FAPI_CERTIFICATE)),
            ),
        ]
    }

    fn use_of_tokens(&self) -> Vec<(&'static str, String)> {
        let curl = &self.shell.curl;
        let (ask, call) = (self.shell.url_of_contact(), self.shell.url_of_clients());
        let partner = shown(&self.files.partner());
        let bound_to_key =
            format!("{curl} {} -u {} -X POST {ask}", self.proof("POST", &ask), self.with_proofs());
        let bound_to_certificate =
            format!("{curl} {partner} -d client_id={} {ask}", proofs::FAPI_CERTIFICATE);
        let Shell { procura, .. } = self.shell;
        let key = word(&self.files.proving());
        vec![
            (
                "One that is bound to a key, with a proof that names it",
                format!(
                    r#"TOKEN=$({bound_to_key} | {TOKEN_OF}); {curl} -H "Authorization: DPoP $TOKEN" -H "DPoP: $(printf %s "$TOKEN" | {procura} dpop --key {key} --method GET --url {call} --token-file -)" {call}"#
                ),
            ),
            (
                "One that is bound to a certificate, on a connection with that certificate",
                format!(
                    r#"{curl} {partner} -H "Authorization: Bearer $({bound_to_certificate} | {TOKEN_OF})" {call}"#
                ),
            ),
        ]
    }

    /// A header with a proof that is made for this request.
    fn proof(&self, method: &str, url: &str) -> String {
        let (procura, key) = (&self.shell.procura, word(&self.files.proving()));
        format!(r#"-H "DPoP: $({procura} dpop --key {key} --method {method} --url {url})""#)
    }

    fn with_proofs(&self) -> String {
        format!("{}:{}", proofs::WITH_PROOFS, self.beside_proof)
    }
}

/// curl's options for a certificate.
fn shown(certificate: &Path) -> String {
    format!("--cert {} --key {}", word(certificate), word(&Files::key_of(certificate)))
}

/// A path as one word of a shell.
pub(super) fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(&byte);
    if text.bytes().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A URL as the user of Basic must have it (RFC 6749 2.3.1).
fn form_encoded(url: &str) -> String {
    url.replace(':', "%3A").replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_whatever_it_is_called() {
        assert_eq!(word(Path::new("/tmp/procura-demo-a/tls/ca.pem")), "/tmp/procura-demo-a/tls/ca.pem");
        assert_eq!(word(Path::new("/it's here/$HOME")), r"'/it'\''s here/$HOME'");
    }
}
