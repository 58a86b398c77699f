//! Every SQL text, in one place.

/// Names texts and lists them, so that none is left out of the test that prepares them all.
macro_rules! statements {
    ($($name:ident = $text:expr;)*) => {
        $(pub(crate) const $name: &str = $text;)*
        pub(crate) const ALL: &[(&str, &str)] = &[$((concat!(module_path!(), "::", stringify!($name)), $name),)*];
    };
}
// For modules elsewhere that have texts of their own.
pub(crate) use statements;

pub(crate) mod application;
pub(crate) mod client;
pub(crate) mod contact;
pub(crate) mod credential;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod mandate;
pub(crate) mod resource;
pub(crate) mod trust;

/// The lists of all texts. A module with texts of its own adds its list here.
pub(crate) const ALL: &[&[(&str, &str)]] = &[
    application::ALL,
    client::ALL,
    contact::ALL,
    credential::ALL,
    crate::directory::rows::ALL,
    key::ALL,
    log::ALL,
    mandate::ALL,
    resource::ALL,
    trust::ALL,
];
