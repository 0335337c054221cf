//! What is built on calls: each workflow makes a prompt, places it through an `Operator` as any client would, and reads
//! the answer. No account, no key and no provider is known here.

pub mod chat;
pub mod choice;
pub mod dialectics;
pub mod diff;
pub mod git;
pub mod hooks;
pub mod message;
pub mod question;
pub mod replay;
pub mod review;
pub mod secrets;
pub mod shares;

pub use chat::{Bill, Chat, ChatError, Piece, Prompt, Said, bill, open};
