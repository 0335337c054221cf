//! Every mistake is told with its place and what to write instead, all of them at once.

use keywheel::config;

use super::config::Home;

/// Loads a settings file and compares all problems, one a line, as `LINE KEY: MESSAGE`.
#[track_caller]
fn wrong(text: &str, told: &[&str]) {
    let problems = config::parse(text).expect_err("the text is wrong");
    let lines: Vec<_> = problems.0.iter().map(|problem| problem.to_string().replace("keywheel.toml:", "")).collect();
    assert_eq!(lines, told, "in\n{text}");
}

const LAB: &str = "[providers.lab]\nadapter = 'openai'\nbase_url = 'http://127.0.0.1:9100/v1'\n";

#[test]
fn an_unknown_key_is_told_with_its_line_and_the_nearest_valid_one() {
    wrong(
        "lisen = []\n[parking]\nmax_wiat = '1s'\n[providers.lab]\nadaptor = 'openai'\n",
        &[
            "1: lisen: unknown key; did you mean `listen`?",
            "3: parking.max_wiat: unknown key; did you mean `max_wait`?",
            "5: providers.lab.adaptor: unknown key; did you mean `adapter`?",
        ],
    );
    wrong("zzz = 1", &["1: zzz: unknown key"]);
}

#[test]
fn a_wrong_type_a_wrong_word_and_a_wrong_number_are_told_together() {
    wrong(
        &format!(
            "{LAB}discover = 1\n[[accounts]]\nid = 'a'\nprovider = 'lab'\nsecret = 'sk-canary'\nweight = 0\n\
             priority = 3000000000\n[models.x]\nroute = ['lab/a']\nstrategy = 'round_robin'\n"
        ),
        &[
            "4: providers.lab.discover: must be a text in quotes, not a number",
            "8: accounts[0].secret: must be a table, not a text",
            "9: accounts[0].weight: must be 1 or more",
            "10: accounts[0].priority: must be 2147483647 or less",
            "13: models.x.strategy: must be one of sticky, round-robin, fill-first, least-busy, weighted, \
             quota-optimized, cheapest, latency, hybrid; \
             did you mean `round-robin`?",
        ],
    );
}

#[test]
fn what_is_missing_is_told_once() {
    wrong("[[accounts]]\nid = 'a'\n", &["1: accounts[0]: `provider` is missing"]);
    wrong("[models.x]\nstrategy = 'sticky'\n", &["1: models.x: `route` is missing"]);
    wrong("[models.x]\nroute = []\n", &["2: models.x.route: must not be empty"]);
    wrong("[dialectics.d]\nmode = 'debate'\n", &["1: dialectics.d: `legs` is missing"]);
    let duel = "[dialectics.d]\nmode = 'debate'\nlegs = ['sim/echo', 'sim/tools']\n";
    wrong(&duel.replace(", 'sim/tools'", ""), &["3: dialectics.d.legs: must have 2 or more"]);
    wrong(&format!("{duel}rounds = 6\n"), &["4: dialectics.d.rounds: must be 5 or less"]);
    wrong(
        &format!("{duel}max_cost_usd = 'cheap'\n"),
        &["4: dialectics.d.max_cost_usd: not an amount in USD; write for example \"0.25\""],
    );
    wrong(
        &format!("{duel}tools = 'al'\n"),
        &["4: dialectics.d.tools: must be one of synthesis, all; did you mean `all`?"],
    );
    wrong(&format!("{duel}round = 2\n"), &["4: dialectics.d.round: unknown key; did you mean `rounds`?"]);
    wrong(
        "[models.'dialectics/d']\nroute = ['sim/echo']\n",
        &["1: models.\"dialectics/d\": these names are taken; write [dialectics.NAME], or choose another"],
    );
    wrong(
        "[providers.lab]\nname = 'x'\n",
        &[
            "1: providers.lab.adapter: missing; say which dialect the provider speaks; `keywheel config schema` lists them",
            "1: providers.lab.base_url: missing; say where the provider lives",
        ],
    );
}

#[test]
fn durations_sizes_and_addresses_have_their_forms() {
    wrong("keep_alive = '10'", &["1: keep_alive: not a span of time; write for example \"90s\" or \"2m\""]);
    wrong("keep_alive = '-10s'", &["1: keep_alive: a span of time cannot be negative"]);
    for size in ["64 zb", "MiB", "-1", "99999999999GiB", ""] {
        let text = format!("body_limit = '{size}'");
        wrong(&text, &["1: body_limit: not a size; write for example \"64MiB\" or \"2GiB\""]);
    }
    wrong("proxy = 'ftp://x'", &["1: proxy: a proxy is http://, https:// or socks5h://"]);
    wrong("proxy = 'socks5://x:1'", &["1: proxy: socks5:// would look names up here; write socks5h://"]);
    wrong(
        "[providers.lab]\nadapter = 'openai'\nbase_url = 'lab.example.com'\n",
        &["3: providers.lab.base_url: not a URL; write for example \"https://api.example.com/v1\""],
    );
    wrong(
        "[providers.lab]\nadapter = 'openai'\nbase_url = 'https://ann:canary@lab.example.com'\n",
        &["3: providers.lab.base_url: a base URL holds no user or password; put the secret into an account"],
    );
}

#[test]
fn sizes_are_read_in_their_units() {
    for (text, bytes) in [("1024", 1024), ("64MiB", 64 << 20), ("500kB", 500_000), ("2 GiB", 2 << 30), ("3b", 3)] {
        assert_eq!(text.parse(), Ok(config::Size(bytes)), "{text}");
    }
    assert_eq!(config::Size(64 << 20).to_string(), "64MiB");
    assert_eq!(config::Size(1500).to_string(), "1500B");
}

#[test]
fn doors_are_urls_and_stay_on_this_machine() {
    let door = "not a door; write tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH, unix: or pipe://NAME";
    for text in ["127.0.0.1:4141", "http://127.0.0.1:4141", "pipe://", "unix"] {
        wrong(&format!("listen = ['{text}']"), &[&format!("1: listen[0]: {door}")]);
    }
    let address = "the address must be an IP address and a port, such as 127.0.0.1:4141";
    wrong("listen = ['unix:', 'tcp://127.0.0.1']", &[&format!("1: listen[1]: {address}")]);
    wrong("listen = []", &["1: listen: must not be empty"]);
    wrong(
        "listen = ['tcp://0.0.0.0:1', 'tls://0.0.0.0:2', 'tcp://[::1]:3', 'tcp://localhost:4']",
        &[
            "1: listen[0]: off loopback keys would travel unencrypted; use tls://, or set allow_plaintext = true",
            "1: listen[1]: tls:// needs a certificate; set tls = { cert = FILE, key = FILE }",
        ],
    );
    let long = format!("listen = ['unix:///{}']", "x".repeat(107));
    wrong(&long, &["1: listen[0]: this socket path has 108 bytes, the system takes 107; choose a shorter one"]);
}

#[test]
fn what_refers_to_something_must_find_it() {
    wrong(
        &format!(
            "default_provider = 'lob'\n{LAB}[[accounts]]\nid = 'a'\nprovider = 'labb'\nsecret = {{ env = 'A' }}\n\
             [[accounts]]\nid = 'a'\nprovider = 'lab'\n[models.x]\nroute = ['lab/a', 'bla/b', 'fast']\n"
        ),
        &[
            "1: default_provider: no such provider; `keywheel provider list` shows those that exist; did you mean `lab`?",
            "7: accounts[0].provider: no such provider; `keywheel provider list` shows those that exist; did you mean `lab`?",
            "10: accounts[1].id: another account has this id; give each its own",
            "13: models.x.route[1]: no such provider; `keywheel provider list` shows those that exist",
            "13: models.x.route[2]: a route names its provider: write \"provider/model\"",
        ],
    );
}

#[test]
fn a_secret_has_one_source() {
    let account = |secret: &str| format!("{LAB}[[accounts]]\nid = 'a'\nprovider = 'lab'\nsecret = {secret}\n");
    let one = "7: accounts[0].secret: name exactly one of `env`, `command` and `vault`";
    wrong(&account("{}"), &[one]);
    wrong(&account("{ env = 'A', vault = 'a' }"), &[one]);
    wrong(&account("{ env = 'A', ttl = '1m' }"), &["7: accounts[0].secret.ttl: only what a command printed has a ttl"]);
    wrong(&account("{ command = [] }"), &["7: accounts[0].secret.command: name the program first, then its arguments"]);
}

#[test]
fn a_key_in_the_wrong_place_is_refused_and_not_repeated() {
    let canaries = [
        "secret = { env = 'sk-canary-canary' }",
        "secret = { env = 'canary0123456789canary0123456789' }",
        "secret = 'sk-canary'",
        "proxy = 'sk-canary'",
        "base_url = 'sk-canary'",
        "limits = 'sk-canary'",
        "weight = 'sk-canary'",
    ];
    for canary in canaries {
        let text = format!("{LAB}[[accounts]]\nid = 'a'\nprovider = 'lab'\n{canary}\n");
        let told = config::parse(&text).unwrap_err().to_string();
        assert!(!told.contains("canary"), "{told}");
    }
    let header = format!("{LAB}headers = {{ Authorization = 'Bearer canary' }}\n");
    wrong(
        &header,
        &["4: providers.lab.headers.Authorization: a credential does not belong in a header here; \
           make an account with `secret` instead"],
    );
    let told = config::parse("proxy = \"sk-canary\n").unwrap_err().to_string();
    assert!(told.starts_with("keywheel.toml:1: not TOML: ") && !told.contains("canary"), "{told}");
}

#[test]
fn headers_that_frame_a_message_are_not_set_by_hand() {
    wrong(
        "[models.x]\nroute = ['sim/a']\nheaders = { Host = 'x' }\n[clients.c]\nheaders = { 'a b' = 'x', ok = \"a\\nb\" }\n",
        &[
            "3: models.x.headers.Host: this header is written by the gateway itself; take it out",
            "5: clients.c.headers.\"a b\": not the name of a header",
            "5: clients.c.headers.ok: a header's value is one line of visible characters",
        ],
    );
}

#[test]
fn a_body_holds_only_what_json_can() {
    let body = |value: &str| format!("[models.x]\nroute = ['sim/a']\nbody = {{ set = {{ a = {value} }} }}\n");
    wrong(&body("[1979-05-27]"), &["3: models.x.body.set.a: JSON has no dates; write it as a text in quotes"]);
    wrong(&body("nan"), &["3: models.x.body.set.a: JSON has no such number"]);
}

#[test]
fn all_mistakes_of_all_files_are_told() {
    let home = Home::with("keep_alive = 1\nlisten = 'unix:'\n");
    home.provider("one", "adapter = 'openia'\nbase_url = 'https://one.example.com'\n");
    home.provider("two", "base_url = 'https://two.example.com'\n\nhaeders = {}\n");
    let problems = home.load().unwrap_err();
    let told: Vec<_> = problems.0.iter().map(|problem| (problem.line, problem.key.as_str())).collect();
    let wanted = [
        (Some(1), "keep_alive"),
        (Some(2), "listen"),
        (Some(1), "providers.one.adapter"),
        (Some(3), "providers.two.haeders"),
    ];
    assert_eq!(told, wanted, "{problems}");
    assert_eq!(problems.0[2].nearest.as_deref(), Some("openai"));
    assert!(problems.0[2].file.ends_with("providers/one.toml"));
}

#[test]
fn every_syntax_error_is_told_with_its_line() {
    let problems = config::parse("a = \nlisten = ['unix:']\nb = [1,\n[parking]\nmax_wait = = '1s'\n").unwrap_err();
    assert!(problems.0.len() >= 2, "{problems}");
    assert_eq!(problems.0[0].line, Some(1));
    assert!(problems.0.iter().all(|problem| problem.message.starts_with("not TOML: ")), "{problems}");
}

#[test]
fn a_named_file_must_exist_and_a_default_one_need_not() {
    let home = Home::new();
    home.load().unwrap();
    let mut paths = home.paths;
    paths.named = true;
    let problems = config::load(&paths, &config::Overrides::default(), &|_| None).unwrap_err().to_string();
    assert!(problems.contains("keywheel.toml: cannot be read: "), "{problems}");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::with("discover = false\n");
    std::fs::set_permissions(&home.paths.file, PermissionsExt::from_mode(0o666)).unwrap();
    let problems = home.load().unwrap_err().to_string();
    assert!(problems.contains("other users may write it (mode 666); run: chmod 600 "), "{problems}");
}
