mod config;
mod config_discover;
mod config_edit;
mod config_errors;
mod config_home;
mod config_schema;
mod config_watch;
mod vault;
