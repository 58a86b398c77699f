//! Reading an answer: a head by httparse, a body by its length, in chunks, or to the end.

use std::io::Read;

use super::Response;

/// The most that an answer may have; more is no answer to anything that is asked here.
const MOST: usize = 4 << 20;

/// Reads one answer; interim ones are passed over. `head` has no body whatever it says.
pub(super) fn response(stream: &mut impl Read, head: bool) -> Result<Response, String> {
    let mut bytes = Vec::new();
    loop {
        let (response, used) = match parsed(&bytes)? {
            Some(found) => found,
            None => {
                if !more(stream, &mut bytes)? {
                    return Err("nothing more came".to_owned());
                }
                continue;
            }
        };
        bytes.drain(..used);
        if (100..200).contains(&response.status) {
            continue;
        }
        let bodiless = head || response.status == 204 || response.status == 304;
        let body = if bodiless { Vec::new() } else { body(stream, bytes, &response)? };
        return Ok(Response { body, ..response });
    }
}

fn parsed(bytes: &[u8]) -> Result<Option<(Response, usize)>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(used)) => {
            let headers = response.headers.iter();
            let headers = headers
                .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
                .collect();
            let status = response.code.unwrap_or_default();
            Ok(Some((Response { status, headers, body: Vec::new() }, used)))
        }
        Err(error) => Err(format!("what came is no HTTP: {error}")),
    }
}

fn body(stream: &mut impl Read, mut bytes: Vec<u8>, response: &Response) -> Result<Vec<u8>, String> {
    let chunked = response.header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
    if chunked {
        loop {
            if let Some(body) = unchunked(&bytes)? {
                return Ok(body);
            }
            if !more(stream, &mut bytes)? {
                return Err("a chunked body broke off".to_owned());
            }
        }
    }
    let length = response.header("content-length").and_then(|value| value.trim().parse::<usize>().ok());
    while length.is_none_or(|length| bytes.len() < length) && more(stream, &mut bytes)? {}
    match length {
        Some(length) if bytes.len() < length => Err("a body broke off".to_owned()),
        Some(length) => {
            bytes.truncate(length);
            Ok(bytes)
        }
        None => Ok(bytes),
    }
}

/// The whole body, if its last chunk is there.
fn unchunked(bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    let mut rest = bytes;
    loop {
        let (start, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("a chunk has no size".to_owned()),
        };
        if size == 0 {
            return Ok(Some(body));
        }
        let size = usize::try_from(size).map_err(|_| "a chunk is too large".to_owned())?;
        let Some(chunk) = rest.get(start..start + size) else { return Ok(None) };
        let Some(after) = rest.get(start + size + 2..) else { return Ok(None) };
        body.extend_from_slice(chunk);
        rest = after;
    }
}

fn more(stream: &mut impl Read, bytes: &mut Vec<u8>) -> Result<bool, String> {
    let mut buffer = [0; 16 * 1024];
    if bytes.len() > MOST {
        return Err("the answer does not end".to_owned());
    }
    match stream.read(&mut buffer) {
        Ok(0) => Ok(false),
        Ok(read) => {
            bytes.extend_from_slice(&buffer[..read]);
            Ok(true)
        }
        // Many servers end a connection without TLS's own end.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Response, String> {
        response(&mut text.as_bytes(), false)
    }

    #[test]
    fn bodies_end_by_their_length_in_chunks_or_with_the_connection() {
        let body = |text: &str| String::from_utf8(read(text).unwrap().body).unwrap();
        assert_eq!(body("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabc"), "ab");
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(body(chunks), "abc");
        assert_eq!(body("HTTP/1.1 200 OK\r\n\r\nabc"), "abc");
        assert_eq!(body("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"), "");
    }

    #[test]
    fn what_breaks_off_is_no_answer() {
        assert!(read("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").is_err());
        assert!(read("HTTP/1.1 200").is_err());
        assert!(read("").is_err());
        assert!(read("hello\r\n\r\n").is_err());
    }
}
