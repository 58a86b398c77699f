//! The command line, as people and programs meet it: the built binary, its output and its exit codes.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod adversary;
mod audit;
mod config;
mod credential;
mod demo;
mod dpop;
mod heard;
mod help;
mod import;
mod init;
mod metrics;
mod record;
mod revoke;
mod serve;
mod support;
mod tls;
mod token;
mod tracing;
