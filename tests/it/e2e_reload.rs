//! Another configuration while calls run: broken ones change nothing, good ones come into force without a restart.

use std::time::Duration;

use keywheel::sim::lab::Setup;
use keywheel::sim::{Lab, Persona, Script};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::e2e_home::{Home, write_private};
use crate::e2e_rig::{Config, Rig, chat, json_lines, said, stream, text, until, variable, words};
use crate::support::client::End;
use crate::support::{Keywheel, SOON};

const CHAT: &str = "/v1/chat/completions";

fn rig() -> Rig {
    Rig::with(Setup::new(Persona::Generic), &["a"], |config| config)
}

/// A name that is only callable under a configuration that was put in force.
fn with_alias(config: Config, alias: &str) -> Config {
    config.more(&format!("[models.\"{alias}\"]\nroute = [\"lab/m\"]\n"))
}

async fn is_listed(rig: &Rig, model: &str) -> bool {
    rig.keywheel.client().get(&format!("/v1/models/{model}")).await.status == 200
}

fn hang_up(keywheel: &Keywheel) {
    let pid = Pid::from_raw(i32::try_from(keywheel.pid()).expect("a pid"));
    kill(pid, Signal::SIGHUP).expect("it is ours");
}

#[tokio::test]
async fn an_edit_a_signal_and_a_command_each_put_a_new_configuration_in_force() {
    let rig = rig();
    assert!(!is_listed(&rig, "by-edit").await);
    rig.keywheel.write_config(&with_alias(rig.config(), "by-edit").text());
    until("the edit is noticed", Duration::from_secs(5), async || is_listed(&rig, "by-edit").await).await;

    // through a link, the watcher sees nothing
    let elsewhere = tempfile::tempdir().expect("a folder");
    let target = elsewhere.path().join("settings.toml");
    write_private(&target, &rig.config().text());
    let file = rig.keywheel.home().join("keywheel.toml");
    std::fs::remove_file(&file).expect("it is there");
    std::os::unix::fs::symlink(&target, &file).expect("a link");
    until("the link is noticed", Duration::from_secs(5), async || !is_listed(&rig, "by-edit").await).await;

    write_private(&target, &with_alias(rig.config(), "by-signal").text());
    hang_up(&rig.keywheel);
    until("the signal is heard", Duration::from_secs(5), async || is_listed(&rig, "by-signal").await).await;

    write_private(&target, &with_alias(rig.config(), "by-command").text());
    let (_, told) = words(&rig.keywheel.run(["reload"]));
    assert!(told.contains("reloaded"), "{told}");
    assert!(is_listed(&rig, "by-command").await, "in force when the command ends");
    assert!(!is_listed(&rig, "by-signal").await);
}

#[tokio::test]
async fn a_broken_configuration_changes_nothing_and_says_why() {
    let rig = rig();
    let good = with_alias(rig.config(), "good").text();
    rig.keywheel.write_config(&good);
    until("the good one is in force", SOON, async || is_listed(&rig, "good").await).await;
    for (broken, why) in [
        ("[parking]\nmax_wayt = \"1s\"\n".to_owned(), "max_wait"),
        ("listen = [".to_owned(), "keywheel.toml:1"),
        (good.replace("route = [\"lab/m\"]", "route = [\"nobody/m\"]"), "models.good.route[0]"),
        (good.replace("provider = \"lab\"", "provider = \"lap\""), "accounts"),
        (good.replace("http://", "htp://"), "base_url"),
    ] {
        rig.keywheel.write_config(&broken);
        let output = rig.keywheel.run(["reload"]);
        let (_, told) = words(&output);
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert!(told.contains(why) && told.contains("stays"), "{why}: {told}");
        assert!(rig.keywheel.wait_words(why, SOON), "{}", rig.keywheel.words());
        let status = json_lines(&rig.keywheel.run(["status", "--json"])).remove(0);
        let warnings = status["warnings"].to_string();
        assert!(warnings.contains(why), "{warnings}");
        assert!(is_listed(&rig, "good").await);
        assert_eq!(rig.keywheel.client().post(CHAT, &chat("good")).await.status, 200);
    }
    rig.keywheel.write_config(&good);
    said(&rig.keywheel.run(["reload"]));
    let status = json_lines(&rig.keywheel.run(["status", "--json"])).remove(0);
    assert_eq!(status["warnings"], serde_json::json!([]), "what was mended is no longer warned of");
}

#[tokio::test]
async fn a_stream_lives_through_reloads_that_take_its_account_away() {
    let rig = rig();
    let frames = 8;
    rig.lab.on("a").then(Script::chunks(frames).stall(3, Duration::from_secs(3)));
    let mut response = rig.keywheel.client().post(CHAT, &stream("lab/m")).await;
    let first = response.frame().await.expect("a frame").bytes;
    rig.keywheel.write_config("[models.other]\nroute = [\"sim/echo\"]\n");
    said(&rig.keywheel.run(["reload"]));
    hang_up(&rig.keywheel);
    let gone = rig.keywheel.client().post(CHAT, &chat("lab/m")).await;
    assert_eq!(gone.status, 404, "the provider is gone for new calls");
    rig.keywheel.write_config("broken = ");
    let (rest, end) = response.read().await;
    assert_eq!(end, End::Clean);
    assert_eq!([first, rest].concat(), keywheel::sim::lab::frames(frames).concat());
}

#[tokio::test]
async fn a_provider_file_dropped_into_the_folder_works_without_a_restart() {
    let rig = rig();
    let lab = Lab::start(Persona::Generic).expect("another lab");
    let ask = async || rig.keywheel.client().post(CHAT, &chat("mine/any-model")).await;
    let account =
        format!("[[accounts]]\nid = \"mine-1\"\nprovider = \"mine\"\nsecret = {{ env = \"{}\" }}\n", variable("a"));
    let file = rig.keywheel.home().join("config/providers/mine.toml");
    let provider = format!("name = \"Mine\"\nadapter = \"openai\"\nbase_url = \"{}\"\n", lab.base_url());
    assert!(said(&rig.keywheel.run(["provider", "list"])).contains("deepseek"));
    write_private(&file, &provider);
    said(&rig.keywheel.run(["provider", "check", file.to_str().unwrap()]));
    rig.keywheel.write_config(&rig.config().more(&account).text());
    // the same key is good in both labs
    assert_eq!(lab.key("a"), rig.lab.key("a"));
    until("the provider is in force", SOON, async || {
        json_lines(&rig.keywheel.run(["provider", "list", "--json"])).iter().any(|row| row["id"] == "mine")
    })
    .await;
    let response = ask().await;
    assert_eq!((response.status, response.header("x-keywheel-provider")), (200, "mine"));
    assert_eq!(lab.count("a"), lab.seen().len());

    write_private(&file, "adapter = \"opnai\"\n");
    let (_, told) = words(&rig.keywheel.run(["provider", "check", file.to_str().unwrap()]));
    assert!(told.contains("mine.toml:1") && told.contains("openai"), "{told}");
    assert!(rig.keywheel.wait_words("mine.toml:1", SOON));
    assert_eq!(ask().await.status, 200, "the last good one stays");
}

#[test]
fn comments_survive_every_edit_and_undo_takes_it_back() {
    let written = "# at the top\n\n[parking] # beside\n# before\nmax_wait   =   \"9s\" # after\n\n# at the end\n";
    let home = Home::with(written);
    let config = || home.read("config/keywheel.toml");
    said(&home.run(["config", "set", "parking.max_wait", "7s"]));
    assert_eq!(config(), written.replace("\"9s\"", "\"7s\""));
    said(&home.run(["config", "set", "parking.max_parked", "5"]));
    said(&home.run(["config", "set", "default_provider", "sim"]));
    said(&home.run(["config", "set", "models.fast.route", "[\"sim/echo\"]"]));
    for comment in ["# at the top", "# beside", "# before", "# after", "# at the end"] {
        assert_eq!(config().matches(comment).count(), 1, "{comment}: {}", config());
    }
    assert!(config().contains("max_wait   =   \"7s\" # after"), "{}", config());
    let shown = said(&home.run(["config", "show", "--origin"]));
    assert!(shown.contains("parking.max_parked = 5") && shown.contains("keywheel.toml"), "{shown}");

    let before = config();
    for (key, value, near) in [("parking.max_wayt", "1s", "max_wait"), ("parking.max_wait", "soon", "max_wait")] {
        let output = home.run(["config", "set", key, value]);
        let (_, told) = words(&output);
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert!(told.contains(near), "{told}");
        assert_eq!(config(), before, "an edit that would not be valid is not made");
    }
    said(&home.run(["config", "undo"]));
    assert!(!config().contains("sim/echo") && config().contains("default_provider"), "{}", config());
    assert_eq!(config().matches('#').count(), 5);
}

#[tokio::test]
async fn an_edit_by_command_reaches_the_running_gateway() {
    let home = Home::with("# mine\n");
    let (_, told) = words(&home.detach());
    let client = home.client(&told);
    said(&home.run(["config", "set", "models.fast.route", "[\"sim/echo\"]"]));
    until("the alias is known", SOON, async || client.get("/v1/models/fast").await.status == 200).await;
    assert_eq!(client.post(CHAT, &chat("fast")).await.header("x-keywheel-provider"), "sim");
    said(&home.run(["config", "undo"]));
    until("it is gone", SOON, async || client.get("/v1/models/fast").await.status == 404).await;
    let left = home.read("config/keywheel.toml");
    assert_eq!(left, "# mine\n");
    assert_eq!(text(&json_lines(&home.run(["status", "--json"]))[0]["listen"][0]).split(':').next(), Some("tcp"));
}
