//! The plain OpenAI dialect, for every service that speaks it: all that it does is what [`Adapter`] gives.

use super::Adapter;

/// Any OpenAI-compatible service.
pub(super) struct Openai;

impl Adapter for Openai {}
