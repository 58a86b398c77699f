//! What the types of an adapter can't say.

use super::{Adapter, Application, ApplicationRole, Change, ClaimsFrom, Door, Endpoints, Method, Subject};

/// The first thing that has to change, as a sentence.
pub(super) fn check(adapter: &Adapter) -> Result<(), String> {
    urls(adapter)?;
    for door in Door::ALL {
        if let Some(settings) = adapter.door(door) {
            let name = settings.application;
            let application = adapter
                .applications
                .get(&name)
                .ok_or_else(|| format!("`doors.{door}` is used by `{name}`: add `[applications.{name}]`"))?;
            let signs = matches!(door, Door::JwtBearer | Door::TokenExchange);
            if signs && matches!(settings.subject, Subject::Assertion) && application.key_file.is_none() {
                return Err(format!(
                    "`doors.{door}` needs a key to sign with: give `applications.{name}` a `key_file`, or the \
                     door a `subject = {{ command = [...] }}`"
                ));
            }
        }
    }
    door_has_endpoint(adapter)?;
    for (role, application) in &adapter.applications {
        credentials(*role, application)?;
    }
    for (name, change) in &adapter.changes {
        let Change { make, undo, .. } = change;
        if make.is_empty() || undo.is_empty() {
            return Err(format!("`changes.{name}` needs a program in `do` and one in `undo`"));
        }
    }
    if adapter.claims.from == ClaimsFrom::Introspection && adapter.endpoints.introspection.is_none() {
        return Err("`claims.from = \"introspection\"` needs `endpoints.introspection`".to_owned());
    }
    Ok(())
}

fn door_has_endpoint(adapter: &Adapter) -> Result<(), String> {
    let endpoints = &adapter.endpoints;
    match &endpoints.contact_token {
        None if adapter.doors.contact_token.is_some() => {
            return Err("`doors.contact_token` needs `endpoints.contact_token`".to_owned());
        }
        Some(template) if !template.contains("{contact_id}") => {
            return Err("`endpoints.contact_token` must contain `{contact_id}`".to_owned());
        }
        _ => {}
    }
    let at_token = [Door::JwtBearer, Door::TokenExchange, Door::ClientCredentials];
    match at_token.into_iter().find(|door| adapter.door(*door).is_some()) {
        Some(door) if endpoints.token.is_none() => Err(format!("`doors.{door}` needs `endpoints.token`")),
        _ => Ok(()),
    }
}

fn credentials(role: ApplicationRole, application: &Application) -> Result<(), String> {
    let needs =
        |what: &str, method: &str| Err(format!("`applications.{role}` needs a `{what}` for {method}"));
    match application.method {
        Method::ClientSecretBasic | Method::ClientSecretPost if application.secret.is_none() => {
            needs("secret", "its method (client_secret_basic without `method`)")
        }
        Method::PrivateKeyJwt if application.key_file.is_none() => needs("key_file", "private_key_jwt"),
        method if method.is_by_certificate() && application.certificate_file.is_none() => {
            needs("certificate_file", "its certificate")
        }
        _ if application.certificate_file.is_some() && application.certificate_key_file.is_none() => {
            needs("certificate_key_file", "its certificate")
        }
        _ => Ok(()),
    }
}

fn urls(adapter: &Adapter) -> Result<(), String> {
    let Endpoints { contact_token, token, introspection, revocation, jwks, metadata, .. } =
        &adapter.endpoints;
    let mut named = vec![
        ("endpoints.contact_token", contact_token),
        ("endpoints.token", token),
        ("endpoints.introspection", introspection),
        ("endpoints.revocation", revocation),
        ("endpoints.jwks", jwks),
        ("endpoints.metadata", metadata),
    ];
    if let Some(at) = &adapter.endpoints.mutual_tls {
        named.extend([
            ("endpoints.mutual_tls.contact_token", &at.contact_token),
            ("endpoints.mutual_tls.token", &at.token),
            ("endpoints.mutual_tls.introspection", &at.introspection),
            ("endpoints.mutual_tls.revocation", &at.revocation),
        ]);
        if at.mutual_tls.is_some() {
            return Err("`endpoints.mutual_tls.mutual_tls` means nothing: remove it".to_owned());
        }
    }
    for resource in adapter.resources.values() {
        named.push(("resources.*.url", &resource.url));
        named.push(("resources.*.mutual_tls_url", &resource.mutual_tls_url));
    }
    for (name, url) in named {
        let Some(url) = url else { continue };
        if url.starts_with("https://") && adapter.ca_file.is_none() {
            return Err(format!("`{name}` is https: name the authority of its certificate in `ca_file`"));
        }
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(format!("`{name}` must begin with https:// or http://"));
        }
    }
    Ok(())
}
