//! The words of the RFCs and of the published contract.
//!
//! Everything a request may say and everything an answer may hold has a type here: identifiers,
//! permissions, scopes, parameters, claims, error codes, metadata and paths. Parsing is strict and
//! bounded, and what has been parsed can't be malformed any more.
//!
//! This crate must never know IO, async, a clock, randomness or a crypto library: a value goes in, a
//! value or a clear error comes out. That is what makes its parsers easy to test, to fuzz, and to use
//! from the server, from the SDK and from a resource's guard alike.
//!
//! # How to add the next thing
//!
//! * A new **request parameter**: name it in [`parameters`], give it a field in the request that takes
//!   it (for instance [`contact_token::ContactTokenRequest`]) and say there what an empty, repeated or
//!   unknown value means. A parameter that no request takes is refused if IANA registers its name.
//! * A new **claim**: add it to [`claims`], with the RFC section on the field.
//! * A new **error**: [`error::ErrorCode`], then let the compiler show every `match` that must say
//!   what it becomes.
//! * A new **path**: [`paths`], once; the router, the metadata, the OpenAPI test and the SDK read it.

pub mod about_token;
pub mod access_token;
pub mod algorithm;
pub mod application_auth;
pub mod basic;
pub mod claims;
pub mod client_assertion;
pub mod client_cert;
mod coded;
pub mod confirmation;
pub mod contact_token;
pub mod contact_update;
pub mod contacts;
pub mod dpop;
pub mod error;
pub mod error_message;
pub mod events;
pub mod form;
pub mod forwarded;
pub mod ids;
pub mod introspection;
mod json;
pub mod mark;
pub mod mark_view;
pub mod metadata;
pub mod original_uri;
pub mod parameters;
pub mod paths;
pub mod permission;
pub mod scope;
pub mod secret;
mod shape;
pub mod target_uri;
pub mod time;
pub mod token;
