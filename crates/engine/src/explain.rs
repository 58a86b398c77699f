//! What a refusal missed, in sentences for an operator. A caller never sees them.

use procura_protocol::client_assertion::AssertionFault;
use procura_protocol::dpop::DpopFault;
use procura_store::journal::{Missed, RefusalCause, Refused};

/// Why the request was refused, and what would change it.
pub const fn cause(cause: RefusalCause) -> &'static str {
    match cause {
        RefusalCause::NotTrusted => {
            "The application is not flagged trusted. To change it: procura application update APP --trusted true"
        }
        RefusalCause::MalformedContact => {
            "The contact id can't be one: 1 to 64 letters, digits, '.', '_' or '-'."
        }
        RefusalCause::Target => {
            "The resource asked for is unknown, disabled, or not registered for this application."
        }
        RefusalCause::UnknownContact => "No contact has the id that was asked for.",
        RefusalCause::DisabledContact => "The contact is disabled.",
        RefusalCause::NoMandate => "The contact has no mandate for any client.",
        RefusalCause::NoClientLeft => "Each client of the contact missed a part of the rule.",
        RefusalCause::ClientNotAllowed => {
            "The request named a client in `clients` that the rule does not leave for this contact."
        }
        RefusalCause::NothingInScope => {
            "None of the permissions named in `scope` is held for any of the clients."
        }
        RefusalCause::TooManyClients => {
            "More than 64 clients were left. The partner must name those that it needs in `clients`."
        }
        RefusalCause::TooLong => {
            "The access token would be longer than [tokens] max_access_token_bytes allows. The partner must \
             name the clients that it needs in `clients`."
        }
        RefusalCause::Assertion => {
            "The assertion that was to be granted does not hold; what is wrong with it stands beside the cause."
        }
        RefusalCause::Proof => {
            "The DPoP proof proves nothing; what is wrong with it stands beside the cause."
        }
        RefusalCause::ProofNotRegistered => {
            "A DPoP proof came, and the application is registered for none. To change it: \
             procura application update APP --dpop-bound-access-tokens true"
        }
        RefusalCause::NothingToBindTo => {
            "The application's profile asks for bound tokens, and its registration binds them to nothing: it was \
             written past what `procura application update` checks. To change it: procura application update APP \
             --dpop-bound-access-tokens true"
        }
        RefusalCause::ProfileAlgorithm => {
            "The resource's access tokens, or the application's ID tokens, are registered to be signed with RS256, \
             which the application's profile does not have."
        }
    }
}

/// What a record says beside its cause, in the words that records and exports use.
pub fn details(refused: &Refused) -> Vec<&'static str> {
    let code = u8::try_from(refused.missed).unwrap_or_default();
    match refused.cause {
        RefusalCause::Assertion => {
            AssertionFault::from_code(code).map(AssertionFault::name).into_iter().collect()
        }
        RefusalCause::Proof => DpopFault::from_code(code).map(DpopFault::name).into_iter().collect(),
        _ => Missed::in_bits(refused.missed).map(Missed::name).collect(),
    }
}

/// The sentences about one refusal.
pub fn sentences(refused: &Refused) -> Vec<String> {
    let first = cause(refused.cause).to_owned();
    let code = u8::try_from(refused.missed).unwrap_or_default();
    let more: Vec<String> = match refused.cause {
        RefusalCause::Assertion => {
            details(refused).iter().map(|fault| format!("What is wrong with it: {fault}.")).collect()
        }
        RefusalCause::Proof => {
            let fault = DpopFault::from_code(code);
            fault.iter().map(|fault| format!("The proof {}.", fault.what_is_wrong())).collect()
        }
        _ => Missed::in_bits(refused.missed).map(|part| missed(part).to_owned()).collect(),
    };
    std::iter::once(first).chain(more).collect()
}

/// What a client of the contact missed.
pub const fn missed(part: Missed) -> &'static str {
    match part {
        Missed::ClientInactive => "A client's status is not Active.",
        Missed::MandateSuspended => "A mandate is suspended.",
        Missed::MandateNotYet => "A mandate has not begun.",
        Missed::MandateOver => "A mandate is over.",
        Missed::NoTrust => "A client gave this application no trust.",
        Missed::TrustWithdrawn => "A client's trust in this application was withdrawn.",
        Missed::TrustNotYet => "A client's trust in this application has not begun.",
        Missed::TrustOver => "A client's trust in this application is over.",
        Missed::NotCovered => {
            "A client's trust in this application names contacts, and this one is not among them."
        }
    }
}
