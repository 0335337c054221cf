//! The proof that a call went through redaction: adapters and upstream take nothing else.

use std::ops::Deref;

use crate::wire::call::Upload;
use crate::wire::{Call, Edit, Payload, Pieces};

/// A call that may be sent to a provider. Its field is private, so only this room makes one.
pub struct Redacted(Call);

/// Lets a call through. The policy in force is *off*: the call is sent as the client wrote it.
pub const fn pass(call: Call) -> Redacted {
    Redacted(call)
}

impl Redacted {
    /// The body with the gateway's own edits applied. A body that is no JSON object comes back as it is; an upload has
    /// no bytes here, see [`Redacted::take_upload`].
    pub fn splice(&self, edits: &[Edit]) -> Pieces {
        match &self.0.payload {
            Payload::Json(json) => json.splice(edits),
            Payload::Raw(bytes) => bytes.clone().into(),
            Payload::Empty | Payload::Upload(_) => Pieces::default(),
        }
    }

    /// The body that is still arriving, once; the second time there is none.
    pub fn take_upload(&mut self) -> Option<Upload> {
        match std::mem::replace(&mut self.0.payload, Payload::Empty) {
            Payload::Upload(upload) => Some(upload),
            other => {
                self.0.payload = other;
                None
            }
        }
    }
}

/// Reading is free; changing a call after redaction is not possible.
impl Deref for Redacted {
    type Target = Call;

    fn deref(&self) -> &Call {
        &self.0
    }
}
