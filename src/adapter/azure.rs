//! Azure OpenAI and Foundry: deployments instead of models, two path schemes, and endpoints as the portal shows them.

use http::HeaderMap;

use super::{Adapter, Answer, Verdict, body, headers, place};
use crate::catalog::Provider;
use crate::kit::{Kind, Time};
use crate::redact::Redacted;
use crate::wire::{Edit, Endpoint};

/// Azure OpenAI and Foundry.
pub(super) struct Azure;

/// Feature headers of the v1 path (`aoai-evals: preview`) and the image deployment that Responses may name.
const FAMILIES: [&str; 2] = ["aoai-", "x-ms-oai-"];

impl Adapter for Azure {
    fn url(
        &self,
        provider: &Provider,
        base_url: &str,
        endpoint: &Endpoint,
        model: Option<&str>,
        query: Option<&str>,
    ) -> String {
        let root = root(base_url);
        let path = endpoint.path();
        let Some(version) = &provider.api_version else {
            return place::with_query(place::below(&format!("{root}/openai/v1"), path), query);
        };
        let base = match model {
            _ if foundry(&root) => format!("{root}/models"),
            Some(model) if of_deployment(path) => {
                format!("{root}/openai/deployments/{}", place::segment(deployment(provider, model)))
            }
            _ => format!("{root}/openai"),
        };
        let url = place::with_query(place::below(&base, path), Some(&format!("api-version={version}")));
        place::with_query(url, query)
    }

    fn beside(&self, provider: &Provider, base_url: &str, path: &str) -> String {
        let root = root(base_url);
        match &provider.api_version {
            None => place::below(&format!("{root}/openai/v1"), path),
            Some(version) => {
                let url = place::below(&format!("{root}/openai"), path);
                place::with_query(url, Some(&format!("api-version={version}")))
            }
        }
    }

    fn edits(&self, provider: &Provider, call: &Redacted, model: Option<&str>) -> Vec<Edit> {
        body::name_model(call, model.map(|model| deployment(provider, model)))
    }

    fn headers(&self, provider: &Provider, call: &Redacted) -> HeaderMap {
        headers::passed(provider, call, &FAMILIES)
    }

    /// An image or prompt that the filter stopped may carry its code one level deeper, under either of two names.
    fn verdict(&self, answer: &Answer, _now: Time) -> Option<Verdict> {
        let inner = ["/error/innererror/code", "/error/inner_error/code"]
            .iter()
            .find_map(|at| answer.words.json.pointer(at)?.as_str())?;
        (inner == "ResponsibleAIPolicyViolation").then(|| Kind::Filtered.into())
    }
}

/// What comes before `/openai`: people give the resource's endpoint, the v1 base URL, a whole target URI as the portal
/// shows it, or a gateway of their own with a path in front.
fn root(base_url: &str) -> String {
    let url = base_url.split(['?', '#']).next().unwrap_or(base_url).trim_end_matches('/');
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // a Foundry project's endpoint has its own path, but models are called at the host
    let prefix = if foundry(host) { "" } else { path };
    let ends = |rest: &str| rest.is_empty() || rest.starts_with('/');
    let own = prefix.match_indices("/openai").find(|(at, name)| ends(&prefix[at + name.len()..]));
    format!("{scheme}://{host}{}", own.map_or(prefix, |(at, _)| &prefix[..at]))
}

/// Whether the host is a Foundry one, whose classic path is `/models/…`.
fn foundry(root: &str) -> bool {
    root.contains(".services.ai.azure.")
}

/// The endpoints whose classic path names a deployment (openai-python `lib/azure.py`); Responses and files do not.
fn of_deployment(path: &str) -> bool {
    matches!(path, "chat/completions" | "completions" | "embeddings")
        || path.starts_with("audio/")
        || path.starts_with("images/")
}

/// The deployment of a model; where the map is silent, the two have the same name.
fn deployment<'a>(provider: &'a Provider, model: &'a str) -> &'a str {
    provider.deployments.get(model).map_or(model, String::as_str)
}
