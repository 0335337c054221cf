//! What the outside world offers: providers as data, shipped inside the binary; a user's files of the same id win.

pub mod checked;
pub mod glob;
pub mod limits;
pub mod oauth;
pub mod price;
pub mod price_card;
pub mod price_catalogue;
pub mod price_check;
pub mod price_file;
pub mod price_import;
pub mod price_litellm;
mod price_litellm_hours;
mod price_litellm_name;
pub mod price_model;
pub mod price_models_dev;
mod price_over;
pub mod price_schedule;
pub mod price_shipped;
pub mod price_show;
pub mod price_worst;
pub mod prices;
pub mod provider;
pub mod ranks;
pub mod reasoning;
pub mod shipped;
pub mod stanza;
pub mod urls;
pub mod wait;

pub use checked::{Checked, Malformed};
pub use limits::Limits;
pub use oauth::{Grant, OauthEntry, SecretEntry};
pub use provider::{AdapterName, Auth, BodyRules, ErrorRule, FaultName, Provider, Redact, Timeouts};
pub use shipped::SHIPPED;
pub use stanza::{Flaw, Stanza};
pub use urls::{BaseUrl, EnvName, LocalUrl, ProxyUrl};
pub use wait::{Wait, Waits};
