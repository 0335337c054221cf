//! What a path asks for: an endpoint, and the model where the path names one.

use std::borrow::Cow;

use crate::wire::Endpoint;

/// What stands before every path of a client that was built for a resource with deployments, as Azure has them.
pub(super) const RESOURCE: &str = "/openai";

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The endpoint below the provider's base URL.
    pub(super) endpoint: Endpoint,
    /// The deployment of an Azure-style path, which is the model's name.
    pub(super) deployment: Option<String>,
}

impl Target {
    /// Reads a path as clients write it. A path that climbs (`..`) could leave the provider's base URL.
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let (rest, deployment) = if let Some(rest) = path.strip_prefix("/v1/") {
            (rest, None)
        } else {
            let rest = path.strip_prefix(RESOURCE)?.strip_prefix('/')?;
            match rest.strip_prefix("deployments/").map(|rest| rest.split_once('/')) {
                Some(split) => split.map(|(deployment, rest)| (rest, Some(deployment)))?,
                None => (rest.strip_prefix("v1/").unwrap_or(rest), None),
            }
        };
        let plain = decode(rest)?;
        let climbs = |part: &str| part.is_empty() || part == "." || part == "..";
        if plain.split(['/', '\\']).any(climbs) {
            return None;
        }
        let deployment = match deployment {
            Some(name) => Some(decode(name).filter(|name| !name.is_empty())?.into_owned()),
            None => None,
        };
        Some(Self { endpoint: Endpoint::from_path(rest), deployment })
    }
}

/// A query without the keys that the gateway itself reads: Azure's version, and keys that must not go upstream.
pub(super) fn query(query: &str) -> Option<String> {
    let ours = |pair: &&str| !matches!(pair.split('=').next(), Some("" | "api-version" | "key"));
    let kept: Vec<&str> = query.split('&').filter(ours).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

/// Percent-decodes; `None` for what is no UTF-8 or no percent code.
pub(super) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let plain = if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        };
        out.push(plain);
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_endpoint_and_an_azure_path_its_model() {
        let cases = [
            ("/v1/chat/completions", "chat/completions", None),
            ("/v1/chat/completions/", "chat/completions", None),
            ("/v1/images/generations", "images/generations", None),
            ("/v1/files/file%20a", "files/file%20a", None),
            ("/openai/v1/responses", "responses", None),
            ("/openai/responses", "responses", None),
            ("/openai/deployments/gpt-4o/chat/completions", "chat/completions", Some("gpt-4o")),
            ("/openai/deployments/lab%2Fgpt-4o/embeddings", "embeddings", Some("lab/gpt-4o")),
        ];
        for (path, endpoint, deployment) in cases {
            let target = Target::of(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!((target.endpoint.path(), target.deployment.as_deref()), (endpoint, deployment), "{path}");
        }
    }

    #[test]
    fn a_path_that_climbs_or_names_nothing_is_no_target() {
        for path in [
            "/v1",
            "/v1/",
            "/v2/chat/completions",
            "/chat/completions",
            "//v1/models",
            "/v1//models",
            "/v1/../secret",
            "/v1/a/%2e%2e/b",
            "/v1/a%2F..%2Fb",
            "/v1/a%5c..%5cb",
            "/v1/./a",
            "/v1/%zz",
            "/v1/%ff",
            "/openai/",
            "/openai/deployments/x",
            "/openai/deployments//chat/completions",
            "/v1/a%",
        ] {
            assert_eq!(Target::of(path), None, "{path}");
        }
    }

    #[test]
    fn a_query_loses_only_what_the_gateway_reads() {
        assert_eq!(query("api-version=2024-10-21"), None);
        assert_eq!(query("a=1&api-version=x&b=%20&key=secret"), Some("a=1&b=%20".to_owned()));
        assert_eq!(query("limit=10&after=key"), Some("limit=10&after=key".to_owned()));
    }
}
