//! Puts addresses together from a base URL and a path.

/// A path below a base URL. Dot segments are left out: a client's path must not climb above the base.
pub(super) fn below(base_url: &str, path: &str) -> String {
    let mut url = base_url.trim_end_matches('/').to_owned();
    for segment in path.split('/').filter(|segment| !segment.is_empty() && !climbs(segment)) {
        url.push('/');
        url.push_str(segment);
    }
    url
}

/// A path of our own data, in which `../` leaves the base's last segment.
pub(super) fn beside(base_url: &str, path: &str) -> String {
    let mut base = base_url.trim_end_matches('/');
    let mut path = path;
    while let Some(rest) = path.strip_prefix("../") {
        path = rest;
        // the host is no segment that could be left
        if let Some((front, _)) = base.rsplit_once('/').filter(|(front, _)| !front.ends_with('/')) {
            base = front;
        }
    }
    below(base, path)
}

/// An address with a query, where there is one.
pub(super) fn with_query(mut url: String, query: Option<&str>) -> String {
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(query);
    }
    url
}

/// One path segment, escaped as RFC 3986 asks.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Whether a segment is `.` or `..`, also in the escaped forms that URL parsers resolve.
fn climbs(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}
