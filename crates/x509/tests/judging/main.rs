//! What certificates prove: real ones, made for each test.

#[cfg(test)]
mod garbage;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod registered;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod subjects;
#[cfg(test)]
mod support;
