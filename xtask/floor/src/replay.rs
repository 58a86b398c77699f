//! A name that is used once: what it costs to look it up and to remember it.

use procura_jose::digest::sha256;
use procura_jose::replay::{Claim, Used, UsedNames};
use procura_protocol::time::UnixSeconds;
use serde::Serialize;

use crate::Failure;
use crate::clocks::thread_cpu;

/// Seconds from the first name to the last: as many live at a time as at a server under load.
const SECONDS: i64 = 300;
/// Seconds for which a name is good, as a proof of possession is.
const LIFE: i64 = 61;

/// What a name costs.
#[derive(Serialize)]
pub(crate) struct Figures {
    cpu_us: f64,
    remembered: usize,
}

/// Uses so many names up, over some minutes of a clock that is an argument.
pub(crate) fn measure(names: u32) -> Result<Figures, Failure> {
    let used: UsedNames<[u8; 32]> = UsedNames::default();
    let names = names.max(1);
    let before = thread_cpu();
    for number in 0..names {
        let now = UnixSeconds(i64::from(number) * SECONDS / i64::from(names));
        let whole = sha256(&number.to_le_bytes());
        let digest = std::array::from_fn(|at| whole[at]);
        let name = Used { owner: [(number % 100) as u8; 32], digest, ends_at: now.plus(LIFE) };
        if used.claim(&name, now) != Claim::First {
            return Err("a new name was not taken".into());
        }
    }
    let took = thread_cpu().saturating_sub(before);
    Ok(Figures { cpu_us: took.as_secs_f64() * 1e6 / f64::from(names), remembered: used.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_forgotten_when_they_are_over() {
        let figures = measure(30_000).unwrap();
        assert!((10_000..20_000).contains(&figures.remembered), "{}", figures.remembered);
    }
}
