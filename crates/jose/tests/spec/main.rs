//! What this crate promises, seen from outside.

#[cfg(test)]
mod keys;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod sealing;
#[cfg(test)]
mod self_signed;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod unverified;
#[cfg(test)]
mod vectors;
