//! The proofs that RFC 9449 prints, in its sections 4.1 and 7.1.

use procura_dpop::{DpopFault, DpopJudge, DpopTerms, Of, Owner, Proofs, TargetUri};
use procura_jose::digest::sha256;
use procura_protocol::confirmation::KeyThumbprint;
use procura_protocol::time::UnixSeconds;

use crate::made::{Constant, Judged, fault};

/// The header of both.
const HEADER: &str = concat!(
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscE",
    "JoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19",
);
/// To `POST https://server.example.com/token`.
const AT_THE_TOKEN_ENDPOINT: &str = concat!(
    "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0",
    "IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg",
);
/// To `GET https://resource.example.org/protectedresource`, with [`TOKEN`].
const AT_THE_RESOURCE: &str = concat!(
    "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRy",
    "ZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP",
    "35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
);
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
/// `jkt` of the token, in its section 6.1.
const KEY: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const NOW: UnixSeconds = UnixSeconds(1_562_262_620);

fn judged(rest: &str, method: &str, url: &str, token: Option<&str>) -> Judged {
    let judge = DpopJudge::new(false, 10, NOW.plus(-71), &Constant(1));
    let targets = [TargetUri::parse(url).unwrap()];
    let token = token.map(|token| sha256(token.as_bytes()));
    let terms = DpopTerms { method, targets: &targets, now: NOW, token };
    judge.judge(
        Proofs::One(format!("{HEADER}.{rest}").as_bytes()),
        &terms,
        Of { owner: Owner::of("app_1"), key: None },
    )
}

#[test]
fn they_are_taken_for_what_they_are() {
    let key = Ok(KeyThumbprint::parse(KEY).unwrap());
    let url = "https://server.example.com/token";
    assert_eq!(judged(AT_THE_TOKEN_ENDPOINT, "POST", url, None), key);
    let url = "https://resource.example.org/protectedresource";
    assert_eq!(judged(AT_THE_RESOURCE, "GET", url, Some(TOKEN)), key);
    assert_eq!(judged(AT_THE_RESOURCE, "GET", url, Some("another")), fault(DpopFault::Token));
}

#[test]
fn one_is_not_the_other() {
    let url = "https://server.example.com/token";
    assert_eq!(judged(AT_THE_RESOURCE, "POST", url, None), fault(DpopFault::Method));
    assert_eq!(judged(AT_THE_TOKEN_ENDPOINT, "POST", url, Some(TOKEN)), fault(DpopFault::Token));
    let mixed = AT_THE_TOKEN_ENDPOINT.split_once('.').unwrap().0.to_owned()
        + AT_THE_RESOURCE.split_at(AT_THE_RESOURCE.find('.').unwrap()).1;
    assert_eq!(judged(&mixed, "POST", url, None), fault(DpopFault::Signature));
}
