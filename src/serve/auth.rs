//! Who is calling: the owner of the socket, or the holder of a client key.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::door::Standing;
use super::front::{Front, Visit};
use super::keys::Denied;
use crate::kit::{Fault, fault::Kind};
use crate::wire::Caller;

/// Headers that hold a bare key.
pub(super) const KEY_HEADERS: [&str; 3] = ["x-api-key", "api-key", "x-goog-api-key"];

impl Front {
    /// The caller of a request, counted against its limit.
    pub(super) fn admit(&self, visit: &Visit, headers: &HeaderMap) -> Result<Arc<Caller>, Fault> {
        match &visit.visitor.standing {
            Standing::Owner => return Ok(Arc::clone(&self.owner)),
            Standing::Barred(fault) => return Err(fault.as_ref().clone()),
            Standing::Local | Standing::Network => {}
        }
        let pass = self.keys.check(presented(headers)).map_err(unauthorized)?;
        let caller = pass.caller();
        pass.spend().map_err(|wait| {
            let seconds = wait.0.as_secs_f64();
            let words =
                format!("client {} is over its limit of requests a minute; try again in {seconds:.1} s", caller.name);
            Fault::new(Kind::ClientLimit(wait.0), words)
        })?;
        Ok(caller)
    }
}

/// Every key in a request's headers.
fn presented(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| bearer(value.to_str().ok()?));
    let bare = KEY_HEADERS.iter().flat_map(|name| headers.get_all(*name)).filter_map(|value| value.to_str().ok());
    bearer.chain(bare).filter(|key| !key.is_empty())
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn unauthorized(denied: Denied) -> Fault {
    let way = match denied {
        Denied::Missing | Denied::Unknown => {
            "send `Authorization: Bearer kw-…` with the key in client.key in the state folder, or make one: \
             keywheel client add NAME"
        }
        Denied::Expired => "make its next one: keywheel client rotate NAME",
    };
    Fault::new(Kind::Unauthorized, format!("{denied}; {way}"))
}
