//! The rule, read naively. No types and no code of the engine.

use std::collections::BTreeSet;

use crate::generate::{Case, Plain, PlainTrust};

/// The seven that a ceiling of `all` gives.
const ORDINARY: [&str; 7] = [
    "can_make_same_currency_payments",
    "can_manage_beneficiaries",
    "can_manage_beneficiaries_groups",
    "can_manage_fix_forwards",
    "can_manage_multipayments",
    "can_manage_payments",
    "can_trade",
];

/// A client that is left, with its permissions and when the first window ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) client: String,
    pub(crate) permissions: Vec<String>,
    pub(crate) until: Option<i64>,
}

/// What a request should get.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Granted { clients: Vec<(String, Vec<String>)>, expires_at: i64 },
    Refused { status: u16, error: &'static str },
}

impl Expected {
    pub(crate) fn kind(&self) -> usize {
        match self {
            Expected::Granted { .. } => 0,
            Expected::Refused { error: "invalid_client", .. } => 1,
            Expected::Refused { error: "unauthorized_client", .. } => 2,
            Expected::Refused { error: "invalid_grant", .. } => 3,
            Expected::Refused { .. } => 4,
        }
    }
}

fn inside(from: Option<i64>, until: Option<i64>, now: i64) -> bool {
    if let Some(from) = from
        && now < from
    {
        return false;
    }
    if let Some(until) = until
        && now >= until
    {
        return false;
    }
    true
}

fn ceiling_of(trust: &PlainTrust) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for word in trust.ceiling.split_whitespace() {
        if word == "all" {
            names.extend(ORDINARY.iter().map(ToString::to_string));
        } else {
            names.insert(word.to_string());
        }
    }
    names
}

/// Exactly the clients for which every line of the rule is true, ordered by id.
pub(crate) fn allowed(plain: &Plain, application: &str, contact: &str, now: i64) -> Vec<Listed> {
    let mut left = Vec::new();
    for client in &plain.clients {
        let application_fits =
            plain.applications.iter().any(|a| a.id == application && a.active && a.trusted);
        let contact_fits = plain.contacts.iter().any(|c| c.id == contact && c.active);
        let client_fits = client.status == "Active";
        let mandate = plain.mandates.iter().find(|m| {
            m.contact == contact && m.client == client.id && m.active && inside(m.from, m.until, now)
        });
        let trust = plain.trusts.iter().find(|t| {
            t.application == application
                && t.client == client.id
                && t.active
                && inside(t.from, t.until, now)
                && (t.all_contacts || t.contacts.iter().any(|c| c == contact))
        });
        if let (true, true, true, Some(mandate), Some(trust)) =
            (application_fits, contact_fits, client_fits, mandate, trust)
        {
            let ceiling = ceiling_of(trust);
            let mut permissions: Vec<String> =
                mandate.permissions.iter().filter(|name| ceiling.contains(*name)).cloned().collect();
            permissions.sort();
            let ends = [mandate.until, trust.until];
            let until = ends.into_iter().flatten().min();
            left.push(Listed { client: client.id.clone(), permissions, until });
        }
    }
    left.sort_by(|a, b| a.client.cmp(&b.client));
    left
}

/// What the whole request should get. Every generated application has the same secret.
pub(crate) fn answer(plain: &Plain, case: &Case) -> Expected {
    let refused = |status, error| Expected::Refused { status, error };
    let Some(application) = plain.applications.iter().find(|a| a.id == case.application && a.active) else {
        return refused(401, "invalid_client");
    };
    if !application.trusted {
        return refused(400, "unauthorized_client");
    }
    let mut left = allowed(plain, &case.application, &case.contact, case.now);
    if left.is_empty() {
        return refused(400, "invalid_grant");
    }
    if let Some(named) = &case.clients {
        for name in named {
            if !left.iter().any(|listed| listed.client == *name) {
                return refused(400, "invalid_grant");
            }
        }
        left.retain(|listed| named.contains(&listed.client));
    }
    let wanted: Vec<&String> = case.scope.iter().flatten().filter(|name| *name != "openid").collect();
    if !wanted.is_empty() {
        for listed in &mut left {
            listed.permissions.retain(|name| wanted.contains(&name));
        }
        if left.iter().all(|listed| listed.permissions.is_empty()) {
            return refused(400, "invalid_scope");
        }
    }
    let mut expires_at = case.now + 3600;
    for listed in &left {
        if let Some(until) = listed.until {
            expires_at = expires_at.min(until);
        }
    }
    let clients = left.into_iter().map(|listed| (listed.client, listed.permissions)).collect();
    Expected::Granted { clients, expires_at }
}
