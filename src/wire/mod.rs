//! What goes over the wire: calls and their JSON bodies, the frames of a reply, and error bodies. No I/O.

pub mod call;
pub mod endpoint;
pub mod error;
pub mod heard;
mod items;
pub mod json;
pub mod pieces;
mod said;
mod scan;
pub mod sse;
mod strings;
pub mod tokens;
pub mod usage;

pub use call::{Call, Caller, Payload};
pub use endpoint::Endpoint;
pub use items::edit_items;
pub use json::{Edit, Edited, Json, JsonError};
pub use pieces::Pieces;
pub use said::said;
