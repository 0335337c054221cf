//! Layers, and what comes out of them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use keywheel::config::{self, Listen, Loaded, Overrides, Paths, SecretSource, Strategy};
use tempfile::TempDir;

/// A home of its own, with an empty environment unless the test gives one.
pub struct Home {
    pub dir: TempDir,
    pub paths: Paths,
}

impl Home {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        paths.prepare().unwrap();
        fs::create_dir(paths.providers()).unwrap();
        Self { dir, paths }
    }

    pub fn with(text: &str) -> Self {
        let home = Self::new();
        home.write(text);
        home
    }

    pub fn write(&self, text: &str) {
        private(&self.paths.file, text);
    }

    pub fn provider(&self, id: &str, text: &str) {
        private(&self.paths.providers().join(format!("{id}.toml")), text);
    }

    pub fn load(&self) -> Result<Loaded, config::Problems> {
        self.load_with(&Overrides::default(), &[])
    }

    pub fn load_with(&self, flags: &Overrides, env: &[(&str, &str)]) -> Result<Loaded, config::Problems> {
        config::load(&self.paths, flags, &lookup(env))
    }
}

pub fn lookup(env: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    |name| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

/// Written as an editor under `umask 022` would, so that the tests do not depend on ours.
pub fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
}

const LAB: &str = "[providers.lab]\nadapter = 'openai'\nbase_url = 'http://127.0.0.1:9100/v1/'\n";

#[test]
fn without_any_file_the_defaults_and_the_offline_accounts_are_there() {
    let loaded = Home::new().load().unwrap();
    let settings = loaded.settings;
    assert_eq!(settings.listen, [Listen::Tcp("127.0.0.1:4141".parse().unwrap()), Listen::Unix(None)]);
    assert_eq!(settings.body_limit, 64 << 20);
    assert_eq!(settings.upload_limit, 2 << 30);
    assert_eq!(settings.header_after, Duration::from_secs(25));
    assert_eq!(settings.parking.max_wait, Duration::from_secs(60));
    let ids: Vec<_> = settings.accounts.iter().map(|account| (account.id.as_str(), &account.secret)).collect();
    assert_eq!(ids, [("sim-a", &SecretSource::None), ("sim-b", &SecretSource::None)]);
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

#[test]
fn a_later_layer_wins_key_by_key() {
    let home = Home::with("discover = true\nkeep_alive = '20s'\nlisten = ['unix:']\n[parking]\nmax_wait = '1m 30s'\n");
    let flags = Overrides { listen: vec!["tcp://127.0.0.1:0".into()], no_discover: true };
    let env = [("KEYWHEEL_LISTEN", "pipe://kw"), ("KEYWHEEL_MAX_PARKED", "7"), ("KEYWHEEL_KEEP_ALIVE", "")];
    let settings = home.load_with(&flags, &env).unwrap().settings;
    assert_eq!(settings.listen, [Listen::Tcp("127.0.0.1:0".parse().unwrap())]);
    assert!(!settings.discover);
    assert_eq!(settings.keep_alive, Duration::from_secs(20));
    assert_eq!((settings.parking.max_wait, settings.parking.max_parked), (Duration::from_secs(90), 7));
}

#[test]
fn every_documented_variable_sets_its_key() {
    let home = Home::with(LAB);
    for (variable, key) in config::variables() {
        let value = match key {
            "listen" => "unix:,tcp://127.0.0.1:1",
            "allow_plaintext" | "discover" | "metrics.public" => "true",
            "hosts" | "origins" => "a.example.com, b.example.com",
            "proxy" => "http://127.0.0.1:3128",
            "default_provider" => "lab",
            "otlp.endpoint" => "http://127.0.0.1:4317",
            "header_after" | "keep_alive" | "parking.max_wait" => "3s",
            "body_limit" | "upload_limit" => "3MiB",
            "parking.max_parked" => "3",
            other => panic!("no value for {other}"),
        };
        let loaded = home.load_with(&Overrides::default(), &[(variable, value)]).unwrap();
        let row = loaded.origins.rows().into_iter().find(|row| row.key == key).unwrap();
        assert_eq!(row.origin.to_string(), format!("environment {variable}"));
    }
}

#[test]
fn a_wrong_variable_is_named_without_a_line() {
    let env = [("KEYWHEEL_MAX_PARKED", "many"), ("KEYWHEEL_DISCOVER", "yes")];
    let problems = Home::new().load_with(&Overrides::default(), &env).unwrap_err().to_string();
    assert_eq!(
        problems,
        "KEYWHEEL_DISCOVER: discover: must be true or false, not a text\n\
         KEYWHEEL_MAX_PARKED: parking.max_parked: must be a whole number, not a text"
    );
}

#[test]
fn a_project_sets_models_and_nothing_that_moves_credentials() {
    let home = Home::with(LAB);
    let project = home.dir.path().join("project.toml");
    let mut paths = Paths::under(home.dir.path());
    paths.project = Some(project.clone());

    fs::write(&project, "default_provider = 'lab'\n[models.fast]\nroute = ['lab/a']\n[parking]\nmax_parked = 2\n")
        .unwrap();
    let loaded = config::load(&paths, &Overrides::default(), &lookup(&[])).unwrap();
    assert_eq!(loaded.settings.models["fast"].route, ["lab/a"]);
    let row = loaded.origins.rows().into_iter().find(|row| row.key == "parking.max_parked").unwrap();
    assert_eq!(row.origin.to_string(), format!("project {}:5", project.display()));

    fs::write(&project, "[providers.lab]\nbase_url = 'https://evil.example.com'\n").unwrap();
    let problems = config::load(&paths, &Overrides::default(), &lookup(&[])).unwrap_err();
    let [problem] = problems.0.as_slice() else { panic!("{problems}") };
    assert_eq!((problem.line, problem.key.as_str()), (Some(1), "providers"));
    assert!(problem.message.contains("because a cloned repository must not redirect credentials"), "{problem}");
}

#[test]
fn a_provider_file_of_the_users_own_works_without_a_rebuild() {
    let home = Home::with("[[accounts]]\nid = 'a'\nprovider = 'mine'\n[providers.mine.timeouts]\nstall = '5s'\n");
    home.provider("mine", "adapter = 'deepseek'\nbase_url = 'https://mine.example.com/v1'\nauth = { header = '' }\n");
    let settings = home.load().unwrap().settings;
    let mine = &settings.providers["mine"];
    assert_eq!(mine.base_url, "https://mine.example.com/v1");
    assert_eq!(mine.endpoints, ["chat/completions", "completions", "embeddings"]);
    assert_eq!((mine.models_path.as_str(), mine.timeouts.stall), ("models", Duration::from_secs(5)));
    assert_eq!(mine.timeouts.connect, Duration::from_secs(10));
    assert_eq!(settings.accounts[0].secret, SecretSource::None, "a provider without an auth header needs no secret");
    assert_eq!(settings.provider_origins["mine"], home.paths.file.display().to_string());
}

#[test]
fn a_stanza_overrides_only_what_it_names() {
    let home = Home::with(
        "timeouts = { stall = '7s' }\n[providers.lab]\nheaders = { b = '2' }\nauth = { header = 'api-key' }\n\
         timeouts = { connect = '2s' }\nbody = { set = { y = [1] } }\n\
         [[providers.lab.errors]]\nstatus = [418]\nfault = 'busy'\n",
    );
    home.provider(
        "lab",
        "name = 'Lab'\nadapter = 'openai'\nbase_url = 'https://lab.example.com/v1/'\nheaders = { a = '1', b = '1' }\n\
         auth = { header = 'authorization', scheme = 'Bearer', optional = true }\nbody = { set = { x = 1.5 }, drop = ['z'] }\n\
         timeouts = { first_byte = '300s' }\n[[errors]]\nstatus = [429]\nfault = 'throttled'\n",
    );
    let settings = home.load().unwrap().settings;
    let lab = &settings.providers["lab"];
    assert_eq!((lab.name.as_str(), lab.base_url.as_str()), ("Lab", "https://lab.example.com/v1"));
    let headers: Vec<_> =
        lab.headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
    assert_eq!(headers, ["a=1", "b=2"]);
    assert_eq!((lab.auth.header.as_str(), lab.auth.scheme.as_str(), lab.auth.optional), ("api-key", "", false));
    assert_eq!(serde_json::to_string(&lab.body.set).unwrap(), r#"{"x":1.5,"y":[1]}"#);
    assert_eq!(lab.body.drop, ["z"]);
    let statuses: Vec<_> = lab.errors.iter().flat_map(|rule| rule.status.clone()).collect();
    assert_eq!(statuses, [418, 429], "a stanza's rules come first");
    let waits = [lab.timeouts.connect, lab.timeouts.first_byte, lab.timeouts.stall].map(|wait| wait.as_secs());
    assert_eq!(waits, [2, 300, 7]);
}

#[test]
fn an_account_says_where_its_secret_comes_from() {
    let text = format!(
        "{LAB}[[accounts]]\nid = 'a'\nprovider = 'lab'\nsecret = {{ env = 'LAB_A' }}\nweight = 3\nlimits = {{ rpm = 60 }}\n\
         [[accounts]]\nid = 'b'\nprovider = 'lab'\nsecret = {{ command = ['pass', 'lab'], ttl = '15m' }}\n\
         [[accounts]]\nid = 'c'\nprovider = 'lab'\n"
    );
    let settings = config::parse(&text).unwrap();
    let argv = vec!["pass".to_owned(), "lab".to_owned()];
    let wanted = [
        SecretSource::Env("LAB_A".into()),
        SecretSource::Command { argv, ttl: Some(Duration::from_secs(900)) },
        SecretSource::Vault("c".into()),
    ];
    let sources: Vec<_> = settings.accounts.iter().take(3).map(|account| account.secret.clone()).collect();
    assert_eq!(sources, wanted);
    assert_eq!((settings.accounts[0].weight, settings.accounts[0].limits.rpm), (3, Some(60)));
    assert_eq!(settings.accounts[0].origin, "keywheel.toml");
}

#[test]
fn an_alias_is_a_chain_with_a_strategy() {
    let text = format!("{LAB}[models.'a/b.c']\nroute = ['lab/x/y', 'sim/echo']\nstrategy = 'round-robin'\n");
    let alias = &config::parse(&text).unwrap().models["a/b.c"];
    assert_eq!(alias.route, ["lab/x/y", "sim/echo"]);
    assert_eq!(alias.strategy, Strategy::RoundRobin);
}

#[test]
fn each_value_in_force_is_shown_with_who_set_it_and_without_passwords() {
    let home = Home::with(&format!("proxy = 'http://ann:pa@ss@127.0.0.1:3128/'\n{LAB}models = ['x']\n"));
    let rows = home.load_with(&Overrides { no_discover: true, ..Overrides::default() }, &[]).unwrap().origins.rows();
    let shown = |key: &str| {
        let row = rows.iter().find(|row| row.key == key).unwrap();
        format!("{} ({})", row.value, row.origin)
    };
    let file = home.paths.file.display();
    assert_eq!(shown("proxy"), format!("\"http://***@127.0.0.1:3128/\" (user {file}:1)"));
    assert_eq!(shown("providers.lab.models"), format!("[\"x\"] (user {file}:5)"));
    assert_eq!(shown("discover"), "false (flag --no-discover)");
    assert_eq!(shown("parking.max_wait"), "\"1m\" (built-in)");
    assert!(rows.is_sorted_by_key(|row| &row.key), "sorted");
}

#[test]
fn what_is_allowed_and_yet_unwise_is_said() {
    let text = "[providers.far]\nadapter = 'openai'\nbase_url = 'http://far.example.com/v1'\n\
                [[accounts]]\nid = 'a'\nprovider = 'far'\nsecret = { env = 'FAR_KEY' }\n";
    let loaded = Home::with(text).load().unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "account a: FAR_KEY is not set, so it cannot be used",
            "account a: its key travels unencrypted, since its base_url is http://",
        ]
    );
}
