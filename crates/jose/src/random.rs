//! Randomness as an argument.

use std::cell::RefCell;
use std::sync::Arc;

use zeroize::Zeroize;

/// A source of random bytes. The server takes [`SystemRandom`]; a test takes a seeded one, so that its
/// references and token ids are the same in every run.
///
/// Keys, signatures and the nonces of [`crate::seal`] do not come from here: the crypto library draws
/// those itself, because a repeated one would give the key away.
pub trait Random: Send + Sync {
    /// Fills `out` with bytes that nobody can guess.
    fn fill(&self, out: &mut [u8]);

    /// `N` such bytes.
    fn bytes<const N: usize>(&self) -> [u8; N]
    where
        Self: Sized,
    {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

impl<R: Random + ?Sized> Random for &R {
    fn fill(&self, out: &mut [u8]) {
        (**self).fill(out);
    }
}

impl<R: Random + ?Sized> Random for Arc<R> {
    fn fill(&self, out: &mut [u8]) {
        (**self).fill(out);
    }
}

/// The crypto library's generator, seeded by the operating system.
///
/// A call to the library costs much more than the bytes it gives, and a token needs several short
/// draws. So draws of up to 16 bytes (token ids, references) are taken from a buffer that each thread
/// refills; longer ones, which may be secrets, come straight from the library and lie nowhere else.
/// After a `fork` without `exec`, both processes would hold the same buffer: don't.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    /// # Panics
    ///
    /// When the generator fails, which the library does not let happen in a process that goes on:
    /// there is nothing safe to answer instead.
    fn fill(&self, out: &mut [u8]) {
        let buffered =
            out.len() <= LONGEST_BUFFERED && BUFFER.try_with(|buffer| buffer.borrow_mut().take(out)).is_ok();
        if !buffered {
            draw(out);
        }
    }
}

const LONGEST_BUFFERED: usize = 16;

thread_local! {
    static BUFFER: RefCell<Buffer> = const { RefCell::new(Buffer { bytes: [0; 512], left: 0 }) };
}

/// The last `left` bytes have been given to nobody; those before are zero.
struct Buffer {
    bytes: [u8; 512],
    left: usize,
}

impl Buffer {
    fn take(&mut self, out: &mut [u8]) {
        if self.left < out.len() {
            draw(&mut self.bytes);
            self.left = self.bytes.len();
        }
        let start = self.bytes.len() - self.left;
        let taken = &mut self.bytes[start..start + out.len()];
        out.copy_from_slice(taken);
        taken.zeroize();
        self.left -= out.len();
    }
}

#[expect(
    clippy::expect_used,
    reason = "no id or secret may be made without randomness, and nothing can stand in"
)]
fn draw(out: &mut [u8]) {
    aws_lc_rs::rand::fill(out).expect("the system's random generator failed");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_draw_repeats_whatever_the_lengths_and_threads() {
        let draw_many = || -> Vec<Vec<u8>> {
            (0..2000)
                .map(|turn| {
                    let mut out = vec![0; 9 + turn % 30];
                    SystemRandom.fill(&mut out);
                    out.truncate(9);
                    out
                })
                .collect()
        };
        let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(draw_many)).collect();
        let draws: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(draws.iter().collect::<HashSet<_>>().len(), draws.len());
    }

    #[test]
    fn what_was_given_away_is_wiped_from_the_buffer_and_never_given_again() {
        let mut buffer = Buffer { bytes: [0; 512], left: 0 };
        for turn in 1..=64 {
            let mut out = [0; 16];
            buffer.take(&mut out);
            assert_ne!(out, [0; 16]);
            assert_eq!(buffer.left, 512 - (turn - 1) % 32 * 16 - 16);
            assert!(buffer.bytes[..512 - buffer.left].iter().all(|byte| *byte == 0));
            assert!(!buffer.bytes.windows(16).any(|window| window == out));
        }
    }

    #[test]
    fn nothing_and_much_can_be_drawn_through_references_and_trait_objects() {
        let random: &dyn Random = &SystemRandom;
        random.fill(&mut []);
        let mut long = vec![0; 5000];
        Arc::new(random).fill(&mut long);
        assert!(long.chunks(50).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
        assert_ne!(SystemRandom.bytes::<32>(), (&random).bytes::<32>());
    }
}
