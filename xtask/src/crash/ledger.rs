//! What the outside world was told, held against what the journal says.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde_json::Value;

use super::load::{Change, Told};
use crate::procura::Procura;
use crate::steps::Failure;

/// Everything anybody was told so far, and everything that is in the journal.
pub(super) struct Ledger {
    next_seq: u64,
    received: HashSet<String>,
    issued: HashSet<String>,
    acknowledged: HashMap<Change, usize>,
    unknown: HashMap<Change, usize>,
    recorded: HashMap<Change, usize>,
    /// What no later look can put right.
    broken: Option<String>,
    starts: u32,
}

/// Something that does not fit.
pub(super) enum Wrong {
    /// It can't become right.
    Final(String),
    /// A change that may still be on its way into the journal.
    NotYet(String),
}

impl Wrong {
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Final(_))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Final(what) | Self::NotYet(what) => out.write_str(what),
        }
    }
}

impl Ledger {
    /// Begins behind what the journal holds already.
    pub(super) fn new(procura: &Procura) -> Result<Self, Failure> {
        let mut ledger = Self {
            next_seq: 1,
            received: HashSet::new(),
            issued: HashSet::new(),
            acknowledged: HashMap::new(),
            unknown: HashMap::new(),
            recorded: HashMap::new(),
            broken: None,
            starts: 0,
        };
        ledger.read(procura)?;
        ledger.recorded.clear();
        Ok(ledger)
    }

    /// Adds what was told in a run.
    pub(super) fn remember(&mut self, told: Told) {
        if let Some(status) = told.others.iter().find(|status| **status != 503) {
            self.broken = Some(format!("a caller was answered with {status}"));
        }
        for jti in told.tokens {
            if !self.received.insert(jti.clone()) {
                self.broken = Some(format!("token {jti} was given out twice"));
            }
        }
        for change in told.acknowledged {
            *self.acknowledged.entry(change).or_default() += 1;
        }
        for change in told.unknown {
            *self.unknown.entry(change).or_default() += 1;
        }
    }

    /// Reads what is new in the journal.
    pub(super) fn read(&mut self, procura: &Procura) -> Result<(), Failure> {
        let lines = procura.call(&["audit", "export", "--from", &self.next_seq.to_string()])?;
        for line in lines.lines() {
            let record: Value = serde_json::from_str(line)
                .map_err(|error| Failure::wrong(format!("audit export printed no JSON: {error}")))?;
            self.take(&record);
        }
        Ok(())
    }

    fn take(&mut self, record: &Value) {
        let seq = record["seq"].as_u64().unwrap_or_default();
        if seq != self.next_seq {
            self.broken = Some(format!("record {seq} comes where {} should be", self.next_seq));
        }
        self.next_seq = seq + 1;
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let client = || record["clients"][0].as_str().unwrap_or_default().to_owned();
        let change = match (text("kind").as_str(), text("cause").as_str()) {
            ("issued", _) => {
                if !self.issued.insert(text("id_token_jti")) {
                    self.broken = Some(format!("token {} is recorded twice", text("id_token_jti")));
                }
                return;
            }
            ("started", _) => {
                self.starts += 1;
                return;
            }
            ("changed", cause) if cause.starts_with("contact.") => Change::Contact(text("contact_id")),
            ("changed", cause) if cause.starts_with("mandate.") => {
                Change::Mandate(text("contact_id"), client())
            }
            ("changed", cause) if cause.starts_with("trust.") => Change::Trust(client()),
            _ => return,
        };
        *self.recorded.entry(change).or_default() += 1;
    }

    /// What does not fit, if anything.
    pub(super) fn wrong(&self) -> Option<Wrong> {
        if let Some(broken) = &self.broken {
            return Some(Wrong::Final(broken.clone()));
        }
        let missing = self.received.difference(&self.issued).count();
        if missing > 0 {
            return Some(Wrong::Final(format!(
                "{missing} tokens that callers received are not in the journal"
            )));
        }
        let count = |of: &HashMap<Change, usize>, change: &Change| of.get(change).copied().unwrap_or(0);
        for (change, recorded) in &self.recorded {
            let asked = count(&self.acknowledged, change) + count(&self.unknown, change);
            if *recorded > asked {
                return Some(Wrong::Final(format!(
                    "{change:?} is recorded {recorded} times, asked for {asked}"
                )));
            }
        }
        self.acknowledged.iter().find(|(change, times)| count(&self.recorded, change) < **times).map(
            |(change, times)| {
                let recorded = count(&self.recorded, change);
                Wrong::NotYet(format!("{change:?} was acknowledged {times} times, recorded {recorded}"))
            },
        )
    }

    /// How much was held against what.
    pub(super) fn summary(&self) -> String {
        let acknowledged: usize = self.acknowledged.values().sum();
        let unknown: usize = self.unknown.values().sum();
        format!(
            "{} tokens received and {acknowledged} changes acknowledged, all in the journal, none twice; \
             {unknown} changes without an answer; {} starts, the chain verified after each",
            self.received.len(),
            self.starts
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ledger() -> Ledger {
        Ledger {
            next_seq: 1,
            received: HashSet::new(),
            issued: HashSet::new(),
            acknowledged: HashMap::new(),
            unknown: HashMap::new(),
            recorded: HashMap::new(),
            broken: None,
            starts: 0,
        }
    }

    fn told(tokens: &[&str], acknowledged: &[Change]) -> Told {
        let tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
        Told { tokens, acknowledged: acknowledged.to_vec(), ..Told::default() }
    }

    fn contact_added(seq: u64) -> Value {
        json!({ "seq": seq, "kind": "changed", "cause": "contact.added", "contact_id": "new.1.0" })
    }

    #[test]
    fn a_token_that_was_received_and_is_not_recorded_is_final() {
        let mut ledger = ledger();
        ledger.remember(told(&["a", "b"], &[]));
        ledger.take(&json!({ "seq": 1, "kind": "issued", "id_token_jti": "a" }));
        assert!(ledger.wrong().is_some_and(|wrong| wrong.is_final()));
        ledger.take(&json!({ "seq": 2, "kind": "issued", "id_token_jti": "b" }));
        // A record without a token is allowed.
        ledger.take(&json!({ "seq": 3, "kind": "issued", "id_token_jti": "c" }));
        assert!(ledger.wrong().is_none());
    }

    #[test]
    fn an_acknowledged_change_must_come_once_and_only_once() {
        let mut ledger = ledger();
        ledger.remember(told(&[], &[Change::Contact("new.1.0".to_owned())]));
        assert!(ledger.wrong().is_some_and(|wrong| !wrong.is_final()));
        ledger.take(&contact_added(1));
        assert!(ledger.wrong().is_none());
        ledger.take(&contact_added(2));
        assert!(ledger.wrong().is_some_and(|wrong| wrong.is_final()));
    }

    #[test]
    fn a_gap_in_the_numbers_is_final() {
        let mut ledger = ledger();
        ledger.take(&contact_added(2));
        assert!(ledger.wrong().is_some_and(|wrong| wrong.is_final()));
    }
}
