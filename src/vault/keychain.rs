//! The keychain of the desktop. It keeps nothing but keys that open a vault's data key.
//!
//! Whoever asks a keychain may wait for a person, for a daemon that hangs, or for a bus that is not there. So each question
//! runs on a thread of its own and is given up after a few seconds; and a library that panics there harms nobody.

mod system;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

pub use system::System;

/// The longest wait for any answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Threads that wait for answers nobody hopes for any more. With that many, nothing more is asked.
const MOST_STUCK: usize = 4;

/// Why the keychain did not do it. It holds nothing that was kept there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeychainError {
    /// No keychain on this system or in this session.
    #[error("no keychain here: {0}")]
    Absent(String),
    /// It is locked, and nobody unlocked it or the prompt was dismissed.
    #[error("the keychain is locked; unlock it, then try again: {0}")]
    Locked(String),
    /// It said nothing for five seconds.
    #[error("the keychain does not answer; unlock it or start it, then try again")]
    Silent,
    /// It failed in another way.
    #[error("the keychain failed: {0}")]
    Failed(String),
}

/// A place that keeps a few bytes under a name. Its methods may block for ever and may panic.
pub trait Keep: Send + Sync {
    /// What is kept under this name.
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError>;
    /// Keeps bytes under this name, in place of others.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), KeychainError>;
    /// Removes what is kept under this name, if anything is.
    fn remove(&self, name: &str) -> Result<(), KeychainError>;
}

/// A keychain that always answers: in time, or with an error.
#[derive(Clone)]
pub struct Keychain {
    keep: Arc<dyn Keep>,
    patience: Duration,
    stuck: Arc<AtomicUsize>,
}

impl Keychain {
    /// The desktop's own: Secret Service, macOS Keychain or Windows Credential Manager.
    pub fn system() -> Self {
        Self::over(System, PATIENCE)
    }

    /// Another place, with another patience: for tests.
    pub fn over(keep: impl Keep + 'static, patience: Duration) -> Self {
        Self { keep: Arc::new(keep), patience, stuck: Arc::default() }
    }

    /// What is kept under this name.
    pub fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        let name = name.to_owned();
        self.ask(move |keep| keep.get(&name))
    }

    /// Keeps bytes under this name and reads them back: some keychains take what they do not keep.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), KeychainError> {
        let (name, bytes) = (name.to_owned(), Zeroizing::new(bytes.to_vec()));
        self.ask(move |keep| {
            keep.put(&name, &bytes)?;
            match keep.get(&name)? {
                Some(kept) if kept == bytes => Ok(()),
                _ => Err(KeychainError::Failed("it does not keep what it is given".into())),
            }
        })
    }

    /// Removes what is kept under this name, if anything is.
    pub fn remove(&self, name: &str) -> Result<(), KeychainError> {
        let name = name.to_owned();
        self.ask(move |keep| keep.remove(&name))
    }

    /// Puts one question on a thread of its own and waits for the answer, but not for ever.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Keep) -> Result<T, KeychainError> + Send + 'static,
    ) -> Result<T, KeychainError> {
        if self.stuck.fetch_add(1, Ordering::SeqCst) >= MOST_STUCK {
            self.stuck.fetch_sub(1, Ordering::SeqCst);
            return Err(KeychainError::Silent);
        }
        let (keep, under_way) = (self.keep.clone(), UnderWay(self.stuck.clone()));
        let (tell, answer) = mpsc::sync_channel(1);
        let asking = move || {
            let _under_way = under_way;
            // nobody listens any more when the time is up
            let _ = tell.send(question(&*keep));
        };
        let asked = thread::Builder::new().name("keychain".into()).spawn(asking);
        asked.map_err(|error| KeychainError::Failed(format!("no thread to ask it: {error}")))?;
        match answer.recv_timeout(self.patience) {
            Ok(said) => said,
            Err(RecvTimeoutError::Timeout) => Err(KeychainError::Silent),
            Err(RecvTimeoutError::Disconnected) => Err(KeychainError::Failed("its library broke down".into())),
        }
    }
}

/// Counts a question until its thread ends, also by a panic.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
