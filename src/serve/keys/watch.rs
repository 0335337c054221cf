//! A running door sees within a second what `keywheel client` changed.

use std::sync::Arc;

use super::{Keys, LOOK_EVERY};
use crate::serve::stamp::Stamp;

/// Follows the store until dropped.
pub struct Follow(tokio::task::AbortHandle);

impl Drop for Follow {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Keys {
    /// Follows the store. While it cannot be read, the keys read last stay in force, and the log says why.
    pub fn follow(self: &Arc<Self>) -> Follow {
        let keys = Arc::clone(self);
        // taken here and not in the task: a change before its first look must count
        let mut seen = Stamp::of(&keys.path);
        let task = tokio::spawn(async move {
            // what changed between `open` and here
            keys.reread();
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let now = Stamp::of(&keys.path);
                if now != seen {
                    seen = now;
                    keys.reread();
                }
            }
        });
        Follow(task.abort_handle())
    }

    fn reread(&self) {
        if let Err(error) = self.reload() {
            tracing::warn!("the client keys read last stay in force: {error}");
        }
    }
}
