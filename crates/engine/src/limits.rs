//! What an address and an application may take in a minute, and how many contacts in an hour.
//!
//! * [`Limits::admit_address`]: requests of one address, before anything of them is read.
//! * Failed proofs of one address, before a proof is looked at: [`crate::application_auth`] asks.
//! * Requests of one application, once it is known who asks.
//! * Distinct contacts of one application and hour: [`contacts`].
//! * Revocations of one application: [`crate::revocation`].
//!
//! Nothing here is attached to an application before it has proved who it is, so nobody else can use up
//! what is an application's. Nobody is ever kept waiting: what is beyond a limit is refused at once, with
//! the seconds after which it will not be.
//!
//! Everything is in memory, bounded ([`table`]), and gone with the process.
//!
//! **To add a limit**: a variant of [`Limit`], a table here, its setting in [`PerMinute`], and the place that
//! takes from it.

mod bucket;
mod contacts;
mod table;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use procura_store::records::ApplicationNo;

use bucket::Rate;
use contacts::ContactCeiling;
use table::Table;

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Requests of an address.
    Address,
    /// Proofs from an address that were not right.
    FailedProofs,
    /// Requests of an application.
    Application,
    /// Distinct contacts that an application asked for within an hour.
    Contacts,
    /// Tokens that an application ended.
    Revocations,
}

impl Limit {
    /// All of them.
    pub const ALL: [Limit; 5] =
        [Limit::Address, Limit::FailedProofs, Limit::Application, Limit::Contacts, Limit::Revocations];

    /// Whether it is of an address, and not of an application that has proved who it is.
    pub fn is_of_address(self) -> bool {
        matches!(self, Limit::Address | Limit::FailedProofs)
    }

    /// Its name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Limit::Address => "address",
            Limit::FailedProofs => "failed_proofs",
            Limit::Application => "application",
            Limit::Contacts => "contacts",
            Limit::Revocations => "revocations",
        }
    }
}

/// A limit was reached: 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitReached {
    /// Which.
    pub limit: Limit,
    /// Seconds, at least one, after which there is room again.
    pub retry_after: u64,
}

/// How much is allowed; 0 is without a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerMinute {
    /// Requests of one address, and at once.
    pub requests_per_address: u32,
    /// Failed proofs of one address, and at once.
    pub failed_proofs_per_address: u32,
    /// Requests of one application, and at once.
    pub requests_per_application: u32,
    /// Distinct contacts that one application may ask for in an hour.
    pub contacts_per_application_per_hour: u32,
}

/// Whose requests are counted together: an IPv4 address, or the /64 of an IPv6 address, which one
/// subscriber has to himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(u64);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Address {
        match address.to_canonical() {
            // The networks below ::/32, which these numbers are for IPv6, are nobody's.
            IpAddr::V4(address) => Address(address.to_bits().into()),
            IpAddr::V6(address) => Address((address.to_bits() >> 64) as u64),
        }
    }
}

/// What is left for each.
#[derive(Debug)]
pub struct Limits {
    address: Table<Address>,
    failed_proofs: Table<Address>,
    application: Table<ApplicationNo>,
    revocations: Table<ApplicationNo>,
    contacts: ContactCeiling,
    reached: [AtomicU64; Limit::ALL.len()],
}

impl Limits {
    /// Nothing is taken yet.
    pub(crate) fn new(rates: PerMinute, revocations_per_minute: u32) -> Limits {
        Limits {
            address: Table::new(Rate::per_minute(rates.requests_per_address)),
            failed_proofs: Table::new(Rate::per_minute(rates.failed_proofs_per_address)),
            application: Table::new(Rate::per_minute(rates.requests_per_application)),
            revocations: Table::new(Rate::per_minute(revocations_per_minute.max(1))),
            contacts: ContactCeiling::new(rates.contacts_per_application_per_hour),
            reached: Default::default(),
        }
    }

    /// Takes one request of an address.
    ///
    /// # Errors
    ///
    /// [`LimitReached`].
    pub fn admit_address(&self, address: Address, now: Duration) -> Result<(), LimitReached> {
        self.judge(Limit::Address, self.address.take(address, now))
    }

    /// Whether a proof from there may be looked at. Nothing is taken.
    pub(crate) fn admit_proof(&self, address: Address, now: Duration) -> Result<(), LimitReached> {
        self.judge(Limit::FailedProofs, self.failed_proofs.look(address, now))
    }

    /// A proof from there was not right.
    pub(crate) fn proof_failed(&self, address: Address, now: Duration) {
        // Those that were under way together may be more than there was room for.
        let _ = self.failed_proofs.take(address, now);
    }

    /// Takes one request of an application.
    pub(crate) fn admit_application(&self, no: ApplicationNo, now: Duration) -> Result<(), LimitReached> {
        self.judge(Limit::Application, self.application.take(no, now))
    }

    /// Whether [`Limits::admit_application`] would admit one. Nothing is taken.
    pub(crate) fn may_admit_application(&self, no: ApplicationNo, now: Duration) -> Result<(), LimitReached> {
        self.judge(Limit::Application, self.application.look(no, now))
    }

    /// Takes one revocation of an application.
    pub(crate) fn admit_revocation(&self, no: ApplicationNo, now: Duration) -> Result<(), LimitReached> {
        self.judge(Limit::Revocations, self.revocations.take(no, now))
    }

    /// Counts a contact among those that an application asked for; `contact` is a keyed hash of what was
    /// asked for, whether or not there is such a contact. The second part of the error says whether this is
    /// the first refusal of the hour.
    pub(crate) fn admit_contact(
        &self,
        no: ApplicationNo,
        contact: u64,
        now: Duration,
    ) -> Result<(), (LimitReached, bool)> {
        let admitted = self.contacts.admit(no, contact, now);
        admitted.map_err(|(retry_after, is_first)| (self.reached(Limit::Contacts, retry_after), is_first))
    }

    /// How often a limit was reached since the start.
    pub fn times_reached(&self, limit: Limit) -> u64 {
        self.reached[limit as usize].load(Ordering::Relaxed)
    }

    /// How many applications reached the ceiling of contacts, each counted once an hour.
    pub fn ceilings_tripped(&self) -> u64 {
        self.contacts.tripped()
    }

    /// How many addresses or applications are remembered for a limit.
    pub fn remembered(&self, limit: Limit) -> usize {
        match limit {
            Limit::Address => self.address.len(),
            Limit::FailedProofs => self.failed_proofs.len(),
            Limit::Application => self.application.len(),
            Limit::Contacts => self.contacts.len(),
            Limit::Revocations => self.revocations.len(),
        }
    }

    /// How often a table was full and the bucket that all newcomers share answered.
    pub fn times_crowded(&self) -> u64 {
        let of_addresses = self.address.crowded() + self.failed_proofs.crowded();
        of_addresses + self.application.crowded() + self.revocations.crowded()
    }

    fn judge(&self, limit: Limit, taken: Result<(), u64>) -> Result<(), LimitReached> {
        taken.map_err(|retry_after| self.reached(limit, retry_after))
    }

    fn reached(&self, limit: Limit, retry_after: u64) -> LimitReached {
        self.reached[limit as usize].fetch_add(1, Ordering::Relaxed);
        LimitReached { limit, retry_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn an_ipv6_subscriber_is_one_caller_whatever_address_it_picks() {
        assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
        assert_eq!(address("192.0.2.1"), address("::ffff:192.0.2.1"));
    }

    #[test]
    fn zero_is_without_a_limit() {
        let limits = Limits::new(PerMinute::default(), 1);
        for _ in 0..10_000 {
            assert_eq!(limits.admit_address(address("192.0.2.1"), Duration::ZERO), Ok(()));
            limits.proof_failed(address("192.0.2.1"), Duration::ZERO);
            assert_eq!(limits.admit_proof(address("192.0.2.1"), Duration::ZERO), Ok(()));
            assert_eq!(limits.admit_application(ApplicationNo(1), Duration::ZERO), Ok(()));
        }
        assert!(Limit::ALL.iter().all(|limit| limits.remembered(*limit) == 0), "nothing is kept either");
    }

    #[test]
    fn what_was_reached_is_counted_by_its_name() {
        let rates = PerMinute { failed_proofs_per_address: 1, ..PerMinute::default() };
        let limits = Limits::new(rates, 1);
        let (one, now) = (address("192.0.2.1"), Duration::from_secs(5));
        assert_eq!(limits.admit_proof(one, now), Ok(()));
        limits.proof_failed(one, now);
        let reached = LimitReached { limit: Limit::FailedProofs, retry_after: 60 };
        assert_eq!(limits.admit_proof(one, now), Err(reached));
        assert_eq!(
            limits.admit_proof(one, Duration::from_secs(64)),
            Err(LimitReached { retry_after: 1, ..reached })
        );
        assert_eq!(limits.admit_proof(one, Duration::from_secs(65)), Ok(()));
        let counts = Limit::ALL.map(|limit| limits.times_reached(limit));
        assert_eq!(counts, [0, 2, 0, 0, 0]);
    }
}
