//! The proof that a call went through redaction: adapters and upstream take nothing else.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use super::masks::Masks;
use super::{Known, prompt};
use crate::config::Redact;
use crate::kit::{Fault, Kind};
use crate::wire::call::Upload;
use crate::wire::{Call, Edit, Json, Payload, Pieces};

/// A call that may be sent to a provider. Its fields are private, so only this room makes one.
pub struct Redacted {
    call: Call,
    masks: Option<Arc<Masks>>,
}

/// A call that can be read, and sent only as what [`Unsent::pass`] makes of it: each route has a policy of its own.
pub struct Unsent {
    redacted: Redacted,
    /// The body as the client wrote it, while a masked one stands in its place.
    written: Option<Json>,
    /// The masked body, made once, while it is not in force.
    masked: Option<(Json, Arc<Masks>)>,
    /// The rules for which it was refused.
    refused: BTreeSet<&'static str>,
}

/// Lets a call through that has one route only.
pub fn pass(call: Call, policy: Redact, known: &Known) -> Result<Redacted, Fault> {
    let mut unsent = Unsent::new(call);
    unsent.pass(policy, known)?;
    Ok(unsent.redacted)
}

impl Unsent {
    /// Nothing of it was looked at yet.
    pub const fn new(call: Call) -> Self {
        Self { redacted: Redacted { call, masks: None }, written: None, masked: None, refused: BTreeSet::new() }
    }

    /// What may be sent on a route with this policy; a fault of the client's own where nothing may.
    pub fn pass(&mut self, policy: Redact, known: &Known) -> Result<&mut Redacted, Fault> {
        self.unmask();
        self.refused.clear();
        match (policy, &self.redacted.call.payload) {
            (Redact::Off, _) | (_, Payload::Empty) => {}
            (Redact::Mask, Payload::Json(json)) => {
                let (body, masks) = match self.masked.take() {
                    Some(made) => made,
                    None => prompt::masked(json, known)?,
                };
                if masks.is_empty() {
                    self.masked = Some((body, masks));
                } else {
                    let Payload::Json(written) =
                        std::mem::replace(&mut self.redacted.call.payload, Payload::Json(body))
                    else {
                        return Err(Fault::new(Kind::Internal, "a masked body was lost; send the request again"));
                    };
                    self.written = Some(written);
                    self.redacted.masks = Some(masks);
                }
            }
            (Redact::Block, Payload::Json(json)) => prompt::searched(json, known, &mut self.refused)?,
            (_, Payload::Raw(bytes)) => prompt::searched_raw(bytes, known, &mut self.refused)?,
            (_, Payload::Upload(_)) => return Err(prompt::unsearched("an upload that is passed on while it arrives")),
        }
        Ok(&mut self.redacted)
    }

    /// The rules for which a route would not take it, by the last look; none where it could not be searched.
    pub const fn refused(&self) -> &BTreeSet<&'static str> {
        &self.refused
    }

    /// Puts the client's own body back.
    fn unmask(&mut self) {
        if let (Some(written), Some(masks)) = (self.written.take(), self.redacted.masks.take())
            && let Payload::Json(body) = std::mem::replace(&mut self.redacted.call.payload, Payload::Json(written))
        {
            self.masked = Some((body, masks));
        }
    }
}

impl Redacted {
    /// The body with the gateway's own edits applied. A body that is no JSON object comes back as it is; an upload has
    /// no bytes here, see [`Redacted::take_upload`].
    pub fn splice(&self, edits: &[Edit]) -> Pieces {
        match &self.call.payload {
            Payload::Json(json) => json.splice(edits),
            Payload::Raw(bytes) => bytes.clone().into(),
            Payload::Empty | Payload::Upload(_) => Pieces::default(),
        }
    }

    /// The body that is still arriving, once; the second time there is none.
    pub fn take_upload(&mut self) -> Option<Upload> {
        match std::mem::replace(&mut self.call.payload, Payload::Empty) {
            Payload::Upload(upload) => Some(upload),
            other => {
                self.call.payload = other;
                None
            }
        }
    }

    /// What stands behind the placeholders that are sent; `None` when there are none.
    pub fn masks(&self) -> Option<Arc<Masks>> {
        self.masks.clone()
    }
}

/// Reading is free; changing a call after redaction is not possible.
impl Deref for Redacted {
    type Target = Call;

    fn deref(&self) -> &Call {
        &self.call
    }
}

/// So is reading one that is not sent.
impl Deref for Unsent {
    type Target = Call;

    fn deref(&self) -> &Call {
        &self.redacted
    }
}
