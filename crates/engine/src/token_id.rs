//! Token ids: the first of a pair is random, the second follows from it.

use procura_jose::digest::sha256;
use procura_store::records::RandomId;

/// The access token's `jti` for an ID token's. One way: who knows the second can't find the first.
pub fn access_token_jti(id_token_jti: RandomId) -> RandomId {
    let mut input = *b"procura access token of ................";
    input[24..].copy_from_slice(&id_token_jti.0);
    let digest = sha256(&input);
    RandomId(std::array::from_fn(|at| digest[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_id_follows_from_the_first_and_from_nothing_else() {
        let one = access_token_jti(RandomId([1; 16]));
        assert_eq!(one, access_token_jti(RandomId([1; 16])));
        assert_ne!(one, access_token_jti(RandomId([2; 16])));
        assert_ne!(one, RandomId([1; 16]));
    }
}
