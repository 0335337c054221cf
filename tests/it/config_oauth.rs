//! How accounts get tokens, as settings say it: what is inherited, and what is told to be wrong.

use keywheel::catalog::Grant;
use keywheel::config::{self, SecretSource};

const LAB: &str = "[providers.lab]\nadapter = 'openai'\nbase_url = 'http://127.0.0.1:1/v1'\n";

fn problems(oauth: &str, secret: &str) -> String {
    let text = format!("{LAB}[[accounts]]\nid = 'a'\nprovider = 'lab'\n{secret}\noauth = {{ {oauth} }}\n");
    config::parse(&text).err().map(|problems| problems.to_string()).unwrap_or_default()
}

#[test]
fn a_shipped_provider_needs_only_grant_tenant_and_client() {
    let account = |grant: &str| {
        let text = format!(
            "[[accounts]]\nid = 'a'\nprovider = 'azure'\nbase_url = 'https://me.openai.azure.com'\n\
             oauth = {{ grant = '{grant}', tenant = 'my-tenant', client_id = 'mine' }}\n"
        );
        let settings = config::parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
        settings.accounts[0].as_ref().clone()
    };
    let by_secret = account("client_credentials");
    let oauth = by_secret.oauth.unwrap();
    assert_eq!(oauth.token_url.as_deref(), Some("https://login.microsoftonline.com/my-tenant/oauth2/v2.0/token"));
    assert_eq!(oauth.scope.as_deref(), Some("https://ai.azure.com/.default"), "exactly one scope");
    assert_eq!(by_secret.secret, SecretSource::Vault("a".into()), "the client's secret");
    let oauth = account("device_code").oauth.unwrap();
    assert_eq!(oauth.scope.as_deref(), Some("https://ai.azure.com/.default offline_access"));
    assert!(oauth.device_url.clone().unwrap().ends_with("/my-tenant/oauth2/v2.0/devicecode"));
    let machine = account("managed_identity");
    assert_eq!(machine.secret, SecretSource::None);
    let oauth = machine.oauth.unwrap();
    assert_eq!(oauth.token_url.as_deref(), Some("http://169.254.169.254/metadata/identity/oauth2/token"));
    assert_eq!(oauth.resource.as_deref(), Some("https://ai.azure.com"), "a resource, not a scope");
}

#[test]
fn an_accounts_table_goes_before_its_providers_key_by_key_and_none_means_a_key() {
    let text = format!(
        "{LAB}[providers.lab.oauth]\ngrant = 'client_credentials'\ntoken_url = 'https://one.example.com/token'\n\
         client_id = 'shared'\nextra = {{ a = '1', b = '1' }}\n\
         [[accounts]]\nid = 'a'\nprovider = 'lab'\noauth = {{ client_id = 'own', extra = {{ b = '2' }} }}\n\
         [[accounts]]\nid = 'b'\nprovider = 'lab'\noauth = {{ grant = 'none' }}\n"
    );
    let settings = config::parse(&text).unwrap();
    let oauth = settings.accounts[0].oauth.clone().unwrap();
    assert_eq!((oauth.grant, oauth.client_id.as_deref()), (Grant::ClientCredentials, Some("own")));
    assert_eq!(oauth.token_url.as_deref(), Some("https://one.example.com/token"));
    assert_eq!(oauth.extra.values().map(String::as_str).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(settings.accounts[1].oauth, None);
}

#[test]
fn what_a_grant_cannot_do_without_is_told() {
    let url = "token_url = 'https://l.example.com/t'";
    let rows = [
        ("grant = 'client_credentials', client_id = 'x'", "", "token_url"),
        (&format!("grant = 'client_credentials', {url}"), "", "register an application"),
        (&format!("grant = 'device_code', client_id = 'x', {url}"), "", "device_url"),
        (&format!("grant = 'authorization_code', client_id = 'x', {url}"), "", "authorize_url"),
        (
            &format!("grant = 'refresh_token', client_id = 'x', {url}"),
            "secret = { env = 'LAB_KEY' }",
            "lives in the vault",
        ),
        (&format!("grant = 'service_account', {url}"), "secret = { command = ['x'] }", "comes from the vault or"),
        (
            "grant = 'client_credentials', client_id = 'x', token_url = 'https://l.example.com/{tenant}'",
            "",
            "set `tenant`",
        ),
        (&format!("grant = 'client_credentials', client_id = 'x', tenant = 'a/b', {url}"), "", "without slashes"),
        (
            &format!("grant = 'client_credentials', client_id = 'x', extra = {{ scope = 'y' }}, {url}"),
            "",
            "setting of its own",
        ),
        ("token_url = 'http://login.example.com/token'", "", "unencrypted"),
        ("token_url = 'https://me:word@login.example.com/token'", "", "no user, password"),
        ("grant = 'password'", "", "grant"),
    ];
    for (oauth, secret, words) in rows {
        let told = problems(oauth, secret);
        assert!(told.contains(words) && !told.contains("me:word"), "{oauth}: {told}");
    }
    assert_eq!(problems(&format!("grant = 'refresh_token', client_id = 'x', {url}"), ""), "");
}
