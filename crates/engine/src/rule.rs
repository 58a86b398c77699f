//! The rule at the centre: for which clients, with which permissions, until when.
//!
//! A contact token for (application, contact) at `now` carries exactly the clients `c` with
//!
//! ```text
//! contact is active
//! c is Active
//! mandate(contact, c) is in force at now
//! trust(c -> application) is in force at now and covers the contact
//! ```
//!
//! and for each the mandate's permissions within the trust's ceiling. (That the application is active
//! and trusted has been asked before.) Nothing is granted by default, and everything after the rule
//! only narrows.
//!
//! # One answer for every refusal
//!
//! An unknown contact, one without trust, without mandate, disabled or expired must look alike from
//! outside, and that includes the work. A refusal therefore always makes a whole number of rounds of
//! [`ROUND`] look-ups: an unknown contact as many as one with sixty-four mandates.

use procura_protocol::contact_token::MAX_CLIENTS;
use procura_protocol::permission::Permissions;
use procura_protocol::time::UnixSeconds;
use procura_store::Directory;
use procura_store::journal::{Missed, RefusalCause};
use procura_store::records::{Application, Client, ClientNo, Contact, ContactNo, Mandate, Span, Trust};

/// Look-ups are made in whole rounds of this many before a refusal: as many as a token may list clients.
pub const ROUND: usize = MAX_CLIENTS;

/// A client that the contact may act for, through this application, now.
#[derive(Debug, Clone, Copy)]
pub struct AllowedClient<'d> {
    /// Its number.
    pub no: ClientNo,
    /// Its record.
    pub client: &'d Client,
    /// The mandate's permissions within the trust's ceiling.
    pub permissions: Permissions,
    /// When the first of the two windows ends, if one does.
    pub until: Option<UnixSeconds>,
}

/// Why the rule leaves no client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoClient {
    /// What an operator is told; a caller never is.
    pub cause: RefusalCause,
    /// Bits of [`Missed`], over all clients of the contact.
    pub missed: u16,
    /// Look-ups made: always a whole number of rounds.
    pub lookups: usize,
}

/// Applies the rule. The clients are ordered by their id.
pub fn allowed_clients<'d>(
    directory: &'d Directory,
    application: &Application,
    contact: Option<(ContactNo, &'d Contact)>,
    now: UnixSeconds,
) -> Result<Vec<AllowedClient<'d>>, NoClient> {
    let mandates = contact.map_or(&[][..], |(_, contact)| &contact.mandates);
    let number = contact.map_or(NOBODY, |(no, _)| no);
    let active = contact.is_some_and(|(_, contact)| contact.active);
    let mut allowed = Vec::new();
    let mut missed = 0;
    for mandate in mandates {
        match weigh(directory, application, (number, mandate), now) {
            Ok(client) if active => allowed.push(client),
            Ok(_) => {}
            Err(part) => missed |= part.bit(),
        }
    }
    if allowed.is_empty() {
        let lookups = even_out(directory, application, mandates.len(), now);
        let cause = match contact {
            None => RefusalCause::UnknownContact,
            Some(_) if !active => RefusalCause::DisabledContact,
            Some(_) if mandates.is_empty() => RefusalCause::NoMandate,
            Some(_) => RefusalCause::NoClientLeft,
        };
        return Err(NoClient { cause, missed, lookups });
    }
    allowed.sort_unstable_by(|a, b| a.client.id.cmp(&b.client.id));
    Ok(allowed)
}

/// Whether the rule leaves any client, without saying which.
pub fn leaves_a_client(
    directory: &Directory,
    application: &Application,
    (number, contact): (ContactNo, &Contact),
    now: UnixSeconds,
) -> bool {
    contact.active
        && contact
            .mandates
            .iter()
            .any(|mandate| weigh(directory, application, (number, mandate), now).is_ok())
}

/// No contact has this number: the directory would have to hold four billion first.
const NOBODY: ContactNo = ContactNo(u32::MAX);

/// One client of the contact: two look-ups, and every part of the rule that is about it.
fn weigh<'d>(
    directory: &'d Directory,
    application: &Application,
    (contact, mandate): (ContactNo, &Mandate),
    now: UnixSeconds,
) -> Result<AllowedClient<'d>, Missed> {
    let client = directory.client(mandate.client);
    let trust = application.trust(mandate.client);
    mandate_in_force(mandate, now)?;
    let client = client.filter(|client| client.active).ok_or(Missed::ClientInactive)?;
    let trust = trust.ok_or(Missed::NoTrust)?;
    trust_in_force(trust, contact, now)?;
    Ok(AllowedClient {
        no: mandate.client,
        client,
        permissions: mandate.permissions & trust.ceiling,
        until: earliest(mandate.span.until(), trust.span.until()),
    })
}

fn mandate_in_force(mandate: &Mandate, now: UnixSeconds) -> Result<(), Missed> {
    if !mandate.active {
        Err(Missed::MandateSuspended)
    } else if mandate.span.is_before(now) {
        Err(Missed::MandateNotYet)
    } else if mandate.span.is_over(now) {
        Err(Missed::MandateOver)
    } else {
        Ok(())
    }
}

fn trust_in_force(trust: &Trust, contact: ContactNo, now: UnixSeconds) -> Result<(), Missed> {
    if !trust.active {
        Err(Missed::TrustWithdrawn)
    } else if trust.span.is_before(now) {
        Err(Missed::TrustNotYet)
    } else if trust.span.is_over(now) {
        Err(Missed::TrustOver)
    } else if !trust.contacts.covers(contact) {
        Err(Missed::NotCovered)
    } else {
        Ok(())
    }
}

/// The earlier of two ends; an absent one never comes.
pub fn earliest(a: Option<UnixSeconds>, b: Option<UnixSeconds>) -> Option<UnixSeconds> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

/// Fills the last round with the same look-ups for mandates that nobody has, and says how many there
/// were in all. They go to clients that trust this application, which are in memory like any other.
fn even_out(directory: &Directory, application: &Application, done: usize, now: UnixSeconds) -> usize {
    let all = done.max(1).next_multiple_of(ROUND);
    for at in done..all {
        let client =
            application.trusts.get(at % application.trusts.len().max(1)).map_or(ClientNo(0), |t| t.client);
        let mandate = Mandate { client, span: Span::ALWAYS, permissions: Permissions::NONE, active: true };
        let outcome = weigh(directory, application, (NOBODY, &mandate), now);
        std::hint::black_box(outcome.is_ok());
    }
    all
}
