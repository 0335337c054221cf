//! What the outside world offers: providers as data, shipped inside the binary; a user's files of the same id win.

pub mod checked;
pub mod provider;
pub mod shipped;
pub mod stanza;
pub mod urls;
pub mod wait;

pub use checked::{Checked, Malformed};
pub use provider::{AdapterName, Auth, BodyRules, ErrorRule, FaultName, Provider, Timeouts};
pub use shipped::SHIPPED;
pub use stanza::{Flaw, Stanza};
pub use urls::{BaseUrl, EnvName, LocalUrl, ProxyUrl};
pub use wait::{Wait, Waits};
