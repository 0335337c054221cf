//! The Windows named pipe. Written from tokio's documentation and not yet built.

use std::future::ready;
use std::io;

use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};

use super::door::{Accepting, Arrival, Cut, Door, Standing, Wire};
use super::error::DoorError;

/// A pipe such as `\\.\pipe\keywheel`. Windows does not tell us whose the other end is without calls that this crate
/// does not make, so a key is needed here; browsers cannot reach a pipe.
pub(super) struct Pipe {
    name: String,
    /// The instance that the next client will find.
    waiting: NamedPipeServer,
}

impl Pipe {
    /// Makes the first instance; it fails when another program has the name.
    pub(super) fn open(name: &str) -> Result<Self, DoorError> {
        let made = ServerOptions::new().first_pipe_instance(true).reject_remote_clients(true).create(name);
        let waiting = made.map_err(|error| DoorError::Listen(format!("pipe {name}"), error))?;
        Ok(Self { name: name.to_owned(), waiting })
    }
}

impl Door for Pipe {
    fn url(&self) -> String {
        format!("pipe:{}", self.name)
    }

    fn accept(&mut self) -> Accepting<'_> {
        Box::pin(async {
            self.waiting.connect().await?;
            let next = ServerOptions::new().reject_remote_clients(true).create(&self.name)?;
            let stream = std::mem::replace(&mut self.waiting, next);
            let opening = Box::pin(ready(Ok(Box::new(stream) as Box<dyn Wire>)));
            Ok(Arrival { opening, standing: Standing::Local, cut: Cut::default() })
        })
    }
}
