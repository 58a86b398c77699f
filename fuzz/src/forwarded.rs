use std::net::IpAddr;

use procura_protocol::forwarded::{Hop, MAX_HOPS, caller, read_forwarded, read_x_forwarded_for};

/// What a proxy says about where a request came from, as either of the two fields.
///
/// What was read is written down again and read the same in both, is never longer than it may be, and whoever
/// is not trusted is never passed over. Whether the last hop is known in one of the two.
pub fn forwarded(data: &[u8]) -> bool {
    let read = [read_forwarded([data]), read_x_forwarded_for([data])];
    for hops in &read {
        assert!(hops.len() <= MAX_HOPS, "more hops than there may be");
        let text = |hop: &Hop| match hop {
            Hop::Address(address) => address.to_string(),
            Hop::Hidden => "unknown".to_owned(),
        };
        let plain = hops.iter().map(text).collect::<Vec<_>>().join(",");
        let official = hops.iter().map(element).collect::<Vec<_>>().join(", ");
        assert_eq!(read_x_forwarded_for([plain.as_bytes()]), *hops, "{plain}");
        assert_eq!(read_forwarded([official.as_bytes()]), *hops, "{official}");
        let last = match hops.last() {
            Some(Hop::Address(address)) => Some(*address),
            Some(Hop::Hidden) | None => None,
        };
        assert_eq!(caller(hops, |_| false), last, "no hop was trusted");
        let furthest = caller(hops, |_| true);
        assert!(last.is_none() == furthest.is_none(), "what was told last is where it begins");
    }
    read.iter().any(|hops| matches!(hops.last(), Some(Hop::Address(_))))
}

fn element(hop: &Hop) -> String {
    match hop {
        Hop::Address(IpAddr::V4(address)) => format!("for={address}"),
        Hop::Address(IpAddr::V6(address)) => format!("FOR=\"[{address}]:443\";proto=https"),
        Hop::Hidden => "by=_us;for=unknown".to_owned(),
    }
}
