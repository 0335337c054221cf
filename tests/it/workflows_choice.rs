//! Which model is asked where nobody named one, for questions, commit messages and reviews.

use std::fs;

use keywheel::config::{self, Settings};
use keywheel::operator::{Merit, ModelRow};
use keywheel::workflows::choice::{By, Purpose, fittest};
use serde_json::{Value, json};

use crate::e2e_rig::{json_lines, said};
use crate::hooks_rig::{Bench, says};
use crate::support::Keywheel;

/// A model that can be called: its rank, 0 for none, and the price of the sample, empty for none.
fn row(id: &str, rank: u8, price: &str) -> ModelRow {
    let provider = id.split_once('/').map_or("openai", |(provider, _)| provider).to_owned();
    let merit = Merit {
        chats: true,
        ready: true,
        rank: (rank > 0).then_some(rank),
        ranked: "2026-11-20".to_owned(),
        sample_usd: (!price.is_empty()).then(|| price.to_owned()),
    };
    ModelRow { id: id.to_owned(), provider, callable: true, why: String::new(), merit }
}

fn settings(text: &str) -> Settings {
    config::parse(text).unwrap()
}

/// The models for a question, a message and a review.
fn chosen(rows: &[ModelRow], settings: &Settings) -> [String; 3] {
    [Purpose::Answer, Purpose::Message, Purpose::Review]
        .map(|purpose| fittest(rows, purpose, settings).map(|choice| choice.model).unwrap_or_default())
}

#[test]
fn each_purpose_has_its_own_measure() {
    let rows = [
        row("sim/echo", 0, "0"),
        row("dialectics/debate", 99, ""),
        row("one/mini", 35, "0.0009"),
        row("one/dear", 98, "0.065"),
        row("two/good", 92, "0.013"),
        row("two/small", 55, "0.0006"),
        row("three/same", 92, "0.013"),
        row("mine/house", 0, ""),
    ];
    let none = settings("");
    assert_eq!(chosen(&rows, &none), ["two/good", "two/small", "one/dear"]);
    let why = |purpose| fittest(&rows, purpose, &none).unwrap().why;
    assert_eq!(why(Purpose::Answer), "rank 92 as of 2026-11-20, the highest at a moderate price that is ready");
    assert_eq!(why(Purpose::Message), "rank 55 as of 2026-11-20, the cheapest good enough that is ready");
    assert_eq!(why(Purpose::Review), "review rank 98 as of 2026-11-20, the highest that is ready");
    // only dear ones, only weak ones
    assert_eq!(chosen(&[row("a/x", 98, "0.09"), row("a/y", 90, "0.05")], &none), ["a/y", "a/y", "a/x"]);
    assert_eq!(chosen(&[row("a/x", 30, "0.0001"), row("a/y", 42, "0.001")], &none), ["a/y", "a/y", "a/y"]);
    // an unknown price is not taken for cheap, a known price of nothing is
    let rows = [row("a/x", 60, ""), row("a/y", 50, "0.001"), row("local/z", 46, "0")];
    assert_eq!(chosen(&rows, &none), ["a/x", "local/z", "a/x"]);
}

#[test]
fn whoever_rests_is_asked_last_and_what_does_not_chat_never() {
    let none = settings("");
    let mut rests = row("one/best", 98, "0.01");
    rests.merit.ready = false;
    let rows = [rests.clone(), row("two/other", 50, "0.01")];
    assert_eq!(chosen(&rows, &none), ["two/other"; 3]);
    let last = fittest(&[rests], Purpose::Review, &none).unwrap();
    assert_eq!(
        last.why,
        "review rank 98 as of 2026-11-20, the highest that can be called; its accounts rest for the moment"
    );
    let (mut silent, mut gone) = (row("one/embed", 0, ""), row("one/gone", 90, ""));
    silent.merit.chats = false;
    gone.callable = false;
    assert_eq!(chosen(&[silent, gone], &none), [""; 3]);
}

#[test]
fn the_reason_is_true_of_unranked_resting_and_unpriced_models() {
    let default = settings(
        "default_provider = \"two\"\n[providers.two]\nadapter = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n",
    );
    let resting = |mut row: ModelRow| {
        row.merit.ready = false;
        row
    };
    let cheap = || row("a/x", 60, "0.01");
    let best = || row("a/best", 98, "0.01");
    let (ranked, day) = ("rank 60 as of 2026-11-20", "2026-11-20");
    let blind = format!("rank 92 as of {day}, the highest");
    for (rows, purpose, settings, why) in [
        // a ranked one can be called: of another provider, or not at this moment
        (
            vec![best(), row("two/house", 0, "")],
            Purpose::Answer,
            &default,
            "the first of default_provider that is ready; it has no rank".to_owned(),
        ),
        (
            vec![resting(best()), row("b/house", 0, "")],
            Purpose::Review,
            &settings(""),
            "the first that is ready; it has no rank".to_owned(),
        ),
        (
            vec![resting(best()), cheap()],
            Purpose::Answer,
            &settings(""),
            format!("{ranked}, the highest at a moderate price that is ready"),
        ),
        (
            vec![resting(best()), cheap()],
            Purpose::Review,
            &settings(""),
            format!("review {ranked}, the highest that is ready"),
        ),
        (
            vec![row("a/dear", 98, "0.09"), row("a/y", 92, ""), cheap()],
            Purpose::Answer,
            &settings(""),
            format!("{blind} that is ready and not known to be dear; its price is not known"),
        ),
        (
            vec![row("a/y", 92, ""), row("a/x", 60, "")],
            Purpose::Message,
            &settings(""),
            format!("{blind} that is ready; its price is not known"),
        ),
    ] {
        assert_eq!(fittest(&rows, purpose, settings).unwrap().why, why);
    }
}

#[test]
fn what_a_person_set_goes_before_ranks_and_what_nobody_ranked_is_usable() {
    let rows = [row("one/best", 92, "0.01"), row("two/fine", 60, "0.01")];
    let default = settings(
        "default_provider = \"two\"\n[providers.two]\nadapter = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n",
    );
    assert_eq!(
        chosen(&rows, &default),
        ["two/fine", "two/fine", "one/best"],
        "a review wants the best, whoever has it"
    );
    let why = fittest(&rows, Purpose::Answer, &default).unwrap().why;
    assert!(why.ends_with("of default_provider that is ready"), "{why}");

    let own = settings("[models.mine]\nroute = [\"openai/gpt-4o-mini\"]\n");
    let rows = [row("one/house", 0, ""), row("mine", 0, ""), row("two/house", 0, "")];
    assert_eq!(chosen(&rows, &own), ["mine"; 3]);
    assert_eq!(chosen(&rows, &settings("")), ["one/house"; 3], "the first in the list");
    let why = fittest(&rows, Purpose::Review, &own).unwrap().why;
    assert_eq!(why, "the first of your own names that is ready; it has no rank");
    // of two that are as good one's own name goes first: it may have more routes
    let rows = [row("one/best", 92, "0.01"), row("mine", 92, "0.01")];
    assert_eq!(chosen(&rows, &own), ["mine"; 3]);
}

#[test]
fn what_is_built_in_answers_questions_alone_and_only_where_there_is_nothing_else() {
    let none = settings("");
    let rows = [row("sim/tools", 0, "0"), row("sim/echo", 0, "0"), row("dialectics/sim", 0, "")];
    assert_eq!(chosen(&rows, &none), ["sim/echo", "", ""]);
    let choice = fittest(&rows, Purpose::Answer, &none).unwrap();
    assert!(choice.by == By::Nobody && choice.why.contains("only repeats what you say"), "{choice:?}");
    let mut rests = row("own/house", 0, "");
    rests.merit.ready = false;
    assert_eq!(chosen(&[rows[1].clone(), rests], &none), ["own/house"; 3]);
}

#[test]
fn the_gateway_tells_what_its_models_are_good_for() {
    let keywheel = Keywheel::with(
        "[models.deep]\nroute = [\"lab/gpt-6.1-sol\"]\n\
         [providers.lab]\nadapter = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\nmodels = [\"gpt-6.1-sol\", \"text-embedding-4\", \"my-own\"]\n\
         [[accounts]]\nid = \"a\"\nprovider = \"lab\"\nsecret = { env = \"KEY_A\" }\n",
    );
    let keywheel = keywheel.env("KEY_A", "a-key-of-the-lab").start();
    let folder = keywheel.home().join("config/pricing");
    fs::create_dir_all(&folder).unwrap();
    let price = "provider = \"lab\"\n[[models]]\nid = \"gpt-6.1-sol\"\nrates = [{ input = \"2\", output = \"10\" }]\n";
    fs::write(folder.join("lab.toml"), price).unwrap();
    said(&keywheel.run(["reload"]));
    let rows = json_lines(&keywheel.run(["model", "list", "--json"]));
    let merit = |id: &str| rows.iter().find(|row| row["id"] == id).map(|row| row["merit"].clone()).unwrap();
    for id in ["deep", "lab/gpt-6.1-sol"] {
        // 4000 tokens at 2 and 500 at 10 millionths of a dollar
        let Value::Object(merit) = merit(id) else { panic!("{id}") };
        assert_eq!(
            (merit["rank"].as_u64(), merit["sample_usd"].as_str()),
            (Some(95), Some("0.013")),
            "{id}: {merit:?}"
        );
        assert_eq!((&merit["chats"], &merit["ready"]), (&true.into(), &true.into()), "{id}");
    }
    assert_eq!(merit("lab/text-embedding-4")["chats"], false);
    assert_eq!((&merit("lab/my-own")["rank"], &merit("lab/my-own")["sample_usd"]), (&Value::Null, &Value::Null));
}

#[test]
fn questions_messages_and_reviews_are_sent_to_the_model_that_was_chosen() {
    let bench = Bench::offering(&["gpt-4o-mini", "deepseek-flash", "gpt-6.1-sol", "my-own"]);
    let repo = bench.repo("r");
    repo.stage("a.rs", "fn a() {}\n");
    let sent = || serde_json::from_slice::<Value>(&bench.rig.calls().last().unwrap().body).unwrap();
    repo.keywheel(["ask", "well?"]).done();
    assert_eq!((&sent()["model"], sent().get("reasoning_effort")), (&json!("gpt-6.1-sol"), None));
    let said = repo.keywheel(["commit", "--print"]);
    assert!(
        said.err.contains("message by lab/gpt-6.1-sol (rank 95 as of "),
        "without a price the better one: {said:?}"
    );
    let _ = bench.rig.lab.on_any().always(says("[]"));
    let said = repo.keywheel(["review", "--staged"]);
    assert!(said.err.contains("with lab/gpt-6.1-sol (review rank 95 as of "), "{said:?}");
    let price =
        "provider = \"lab\"\n[[models]]\nid = \"deepseek-flash\"\nrates = [{ input = \"0.3\", output = \"1.2\" }]\n";
    bench.price(price);
    let said = repo.keywheel(["commit", "--print"]);
    assert!(said.err.contains("message by lab/deepseek-flash (rank 72 as of "), "{said:?}");
    assert_eq!(sent()["model"], "deepseek-flash");
    assert_eq!(sent()["reasoning_effort"], "low", "a person waits for a message");
    repo.keywheel(["commit", "--print", "--model", "lab/deepseek-flash"]).done();
    assert_eq!(sent().get("reasoning_effort"), None, "whoever names a model gets it as it is");
}

#[test]
fn where_nothing_can_be_called_a_question_is_echoed_and_that_is_said_also_to_a_script() {
    let keywheel = Keywheel::with("").start();
    let ended = keywheel.run(["ask", "is anybody there?"]);
    let (out, err) = crate::e2e_rig::words(&ended);
    assert_eq!(out.trim_end(), "is anybody there?");
    assert!(err.contains("asking sim/echo: nothing else can be called, and it only repeats what you say"), "{err}");
    assert!(!crate::e2e_rig::words(&keywheel.run(["ask", "-m", "sim/echo", "x"])).1.contains("asking"));
}
