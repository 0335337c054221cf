//! The one test binary: a module a room. It clears nothing, listens on loopback only and works in temporary homes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    unreachable_pub,
    reason = "a test stops at the first surprise, reads the environment and speaks to whoever runs it"
)]

mod accounts;
mod accounts_choice;
mod accounts_limits;
mod adapter;
mod adapter_errors;
mod adapter_first;
mod adapter_hints;
mod adapter_requests;
mod adapter_shipped;
mod adapter_windows;
mod cli;
mod cli_price;
mod config;
mod config_discover;
mod config_edit;
mod config_errors;
mod config_home;
mod config_oauth;
mod config_schema;
mod config_watch;
mod doors;
mod doors_tls;
mod e2e_account_test;
mod e2e_accounts;
mod e2e_background;
mod e2e_bad_requests;
mod e2e_bad_starts;
mod e2e_bytes;
mod e2e_canary;
mod e2e_canary_tokens;
mod e2e_clients;
mod e2e_cost;
#[cfg(target_os = "linux")]
mod e2e_disk;
mod e2e_doctor;
mod e2e_doors;
mod e2e_explain;
mod e2e_fresh;
mod e2e_home;
mod e2e_http2;
mod e2e_keys;
mod e2e_ledger;
mod e2e_ledger_crash;
mod e2e_logins;
mod e2e_node_and_curl;
mod e2e_opencode;
mod e2e_parking;
mod e2e_proxies;
mod e2e_python;
mod e2e_reasoning;
mod e2e_redact;
mod e2e_reload;
mod e2e_rests;
mod e2e_rig;
mod e2e_secrets;
mod e2e_streams;
mod e2e_time;
mod e2e_tokens;
mod e2e_vault;
mod e2e_vault_crash;
mod floor_plan;
mod flows;
mod gateway;
mod gateway_limits;
mod gateway_repeats;
mod gateway_streams;
mod home;
mod home_support;
mod import;
mod lab;
mod lab_models;
mod lab_personas;
mod lab_scripts;
mod lab_support;
mod matrix;
mod matrix_amend;
mod matrix_any;
mod matrix_azure;
mod matrix_calls;
mod matrix_errors;
mod matrix_upload;
mod metrics;
mod metrics_page;
mod money;
mod money_by_hand;
mod money_properties;
mod money_regressions;
mod money_usage;
mod otlp;
mod otlp_collector;
mod prices;
mod prices_check;
mod prices_expected;
mod prices_import;
mod reasoning;
mod redact;
mod redact_corpus;
mod redact_fuzz;
mod redact_prompts;
mod redact_rules;
mod refresh;
mod refresh_plan;
mod refresh_vault;
mod serve_bad_input;
mod serve_keys;
mod serve_leaving;
mod serve_routes;
mod serve_screen;
mod serve_support;
mod store;
mod store_choices;
mod store_keep;
mod store_sqlite;
mod store_sums;
mod support;
mod tokens_rig;
mod vault;
mod vault_keychain;
mod vault_sealed;
mod vault_strongbox;
mod workflows_chat;
