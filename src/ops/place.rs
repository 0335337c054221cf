//! Calls that a face in this process places.

use std::sync::Arc;

use crate::gateway::{Gate, Gateway};
use crate::kit::Clock;
use crate::operator::Refusal;
use crate::operator::placed::{Given, Placed};
use crate::wire::{Call, Caller, Endpoint, Json};

/// Places a call in the name of the gateway's owner.
pub(super) async fn place(gateway: &Gateway, clock: &Clock, placed: Placed) -> Result<Given, Refusal> {
    let body = Json::parse(placed.body).map_err(|error| Refusal::new(error.to_string()))?;
    let endpoint = Endpoint::from_path(&placed.path);
    let call = Call::placed(clock.now(), endpoint, placed.headers, body, Arc::new(Caller::owner()));
    let answer = gateway.call(call).await;
    Ok(Given { status: answer.status, headers: answer.headers, body: answer.body })
}
