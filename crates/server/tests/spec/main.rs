//! The specification, as tests: a module per chapter of the contract or section of an RFC.
//!
//! Each test begins with a server of its own in which one request works, changes one thing, and looks at
//! one answer. Its name is the sentence that it shows. Time stands still, keys are made for the test,
//! and no test needs another.
//!
//! **To add the next thing**: the sentence as a test in the module of its chapter or section, red first. A
//! defect that may come together with others: a variant in [`defects`], and the tests on order, on
//! refusals and on enumeration take it in by themselves.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod algorithms;
mod availability;
mod bad_input;
mod certificates;
mod contract_1_answer;
mod contract_1_limits;
mod contract_1_order;
mod contract_1_refusals;
mod contract_1_request;
mod contract_2_available_contacts;
mod contract_2_paging;
mod contract_4_body;
mod contract_4_changes;
mod contract_4_clients;
mod contract_4_contacts;
mod contract_4_etags;
mod contract_4_guarding;
mod contract_4_person;
mod contract_4_ping;
mod contract_4_world;
mod contract_5_grants;
mod contract_6_assertion_keys;
mod contract_6_assertion_use;
mod contract_6_assertions;
mod contract_6_certificates;
mod contract_6_credentials;
mod contract_6_published_keys;
mod contract_6_wrong_certificates;
mod contract_8_events;
mod defects;
mod fapi2;
mod fapi2_authentication;
mod fapi2_proofs;
mod fapi2_resources;
mod fapi2_tokens;
mod forward_auth;
mod forward_auth_callers;
mod granting;
mod health;
mod logs;
mod methods;
mod no_enumeration;
mod openapi;
mod out_of_trust;
mod rfc6749_client_credentials;
mod rfc6749_errors;
mod rfc6749_parameters;
mod rfc7009_revocation;
mod rfc7517_jwks;
mod rfc7662_introspection;
mod rfc8414_metadata;
mod rfc8705_bound_tokens;
mod rfc8707_resource;
mod rfc9068_access_token;
mod rfc9449_resources;
mod signing;
mod support;
mod windows;
