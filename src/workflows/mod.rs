//! What is built on calls: each workflow makes a prompt, places it through an `Operator` as any client would, and reads
//! the answer. No account, no key and no provider is known here.

pub mod chat;

pub use chat::{Bill, Chat, ChatError, Piece, Prompt, Said, bill, open};
