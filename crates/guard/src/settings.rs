//! What a guard demands.

use procura_jose::Algorithm;
use procura_protocol::ids::ResourceId;

use crate::base_url::BaseUrl;

/// How far the clocks of the server and of a resource may be apart, in seconds.
pub const LEEWAY: i64 = 5;

/// What a guard demands of every token.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// `iss`, compared exactly.
    pub issuer: Box<str>,
    /// `aud`: this resource's own id; also the realm of its challenges.
    pub audience: ResourceId,
    /// The algorithms that a token may be signed with. All that this server has, unless fewer are set.
    pub algorithms: Vec<Algorithm>,
    /// About how many bytes the cache of verified tokens may take.
    pub cache_bytes: usize,
    /// Where callers reach this resource. Without any, tokens that are bound to a key are refused.
    pub reached_at: Vec<BaseUrl>,
    /// Whether every proof of possession must hold a nonce of this guard's.
    pub demands_proof_nonces: bool,
    /// How many used proofs are remembered.
    pub proof_capacity: usize,
}

impl Settings {
    /// How much is kept of verified tokens when nobody says otherwise: about 2,000 of a few clients each.
    pub const USUAL_CACHE_BYTES: usize = 2 * 1024 * 1024;

    /// How many used proofs of possession are remembered when nobody says otherwise: up to 130 MB when all of them
    /// are. A quarter of them may be of one application, each for two minutes: some 2,000 calls a second of each.
    pub const USUAL_PROOF_CAPACITY: usize = 1_000_000;

    /// Tokens of this issuer for this resource, signed with any algorithm of the server's.
    pub fn new(issuer: &str, audience: ResourceId) -> Settings {
        Settings {
            issuer: issuer.into(),
            audience,
            algorithms: Algorithm::ALL.to_vec(),
            cache_bytes: Settings::USUAL_CACHE_BYTES,
            reached_at: Vec::new(),
            demands_proof_nonces: false,
            proof_capacity: Settings::USUAL_PROOF_CAPACITY,
        }
    }
}
