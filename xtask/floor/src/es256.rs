//! An ES256 signature, in a tight loop.

use procura_jose::{Algorithm, PrivateKey};
use serde::Serialize;

use crate::Failure;
use crate::clocks::thread_cpu;

/// Bytes of a message: header and claims of a contact token's ID token have about as many.
const MESSAGE: usize = 600;
/// Not counted: caches and branch predictors learn.
const WARM_UP: u32 = 2_000;

/// What a signature costs.
#[derive(Serialize)]
pub(crate) struct Figures {
    cpu_us: f64,
}

/// Signs so many messages on this thread.
pub(crate) fn measure(signatures: u32) -> Result<Figures, Failure> {
    let (key, _) = PrivateKey::generate(Algorithm::Es256)?;
    let mut message = [7; MESSAGE];
    let mut sign = |count: u32| -> Result<(), Failure> {
        for number in 0..count {
            message[..4].copy_from_slice(&number.to_le_bytes());
            std::hint::black_box(key.sign(&message)?);
        }
        Ok(())
    };
    sign(WARM_UP)?;
    let before = thread_cpu();
    sign(signatures.max(1))?;
    let took = thread_cpu().saturating_sub(before);
    Ok(Figures { cpu_us: took.as_secs_f64() * 1e6 / f64::from(signatures.max(1)) })
}
