use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use procura_protocol::client_cert::{is_within_bounds, read};

/// `Client-Cert` and `Client-Cert-Chain` fields, one a line; a line that begins with `+` is of the chain.
///
/// Certificates that were read are within bounds, and read the same from fields that are written anew; with
/// two fields of one kind there are none. Whether there were certificates.
pub fn client_cert(data: &[u8]) -> bool {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').take(4).collect();
    let own: Vec<&[u8]> = lines.iter().filter(|line| !line.starts_with(b"+")).copied().collect();
    let chain: Vec<&[u8]> = lines.iter().filter_map(|line| line.strip_prefix(b"+")).collect();
    let Some(certificates) = read(own.iter().copied(), chain.iter().copied()) else {
        return false;
    };
    assert!(own.len() == 1 && chain.len() <= 1, "certificates out of several fields");
    assert!(is_within_bounds(&certificates));
    let field = |certificate: &[u8]| format!(":{}:", STANDARD.encode(certificate));
    let first = field(&certificates[0]);
    let others: Vec<String> = certificates[1..].iter().map(|other| field(other)).collect();
    let others = if others.is_empty() { None } else { Some(others.join(", ")) };
    let again = read([first.as_bytes()], others.as_deref().map(str::as_bytes));
    assert_eq!(again.as_ref(), Some(&certificates), "certificates that were read read differently");
    true
}
