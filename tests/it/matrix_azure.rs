//! What only Azure has: resources with addresses of their own, two path schemes, deployments, and tokens beside keys.

use keywheel::accounts::Standing;
use keywheel::sim::Script;
use keywheel::wire::Endpoint;

use crate::matrix::{AZURE, Labs, Rig, Vendor};
use crate::matrix_calls::{ASKED, Talk, Turn};
use crate::support::vendor;

const CLASSIC: Vendor = Vendor {
    model: "gpt-4o",
    stanza: "api_version = \"2024-10-21\"\ndeployments = { \"gpt-4o\" = \"gpt-4.1\" }",
    ..AZURE
};

#[tokio::test]
async fn the_v1_path_is_found_below_whatever_people_copy_from_the_portal() {
    for path in ["", "/", "/openai", "/openai/v1", "/openai/v1/", "/openai/deployments/gpt-4o-mini/chat/completions"] {
        let mut labs = Labs::start(AZURE);
        labs.path = path;
        let rig = Rig::new(&labs);
        let talk = Talk::over(labs, rig, AZURE);
        let (body, sent) = (AZURE.chat(), AZURE.chat().replace("azure/", ""));
        talk.turn(Turn { endpoint: Endpoint::Chat, body: &body, path: "/openai/v1/chat/completions", sent: &sent })
            .await;
    }
}

#[tokio::test]
async fn the_classic_path_names_the_deployment_of_the_model() {
    let talk = Talk::new(CLASSIC);
    for (endpoint, field, path) in [
        (
            Endpoint::Chat,
            "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]",
            "deployments/gpt-4.1/chat/completions",
        ),
        (
            Endpoint::Chat,
            "\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]",
            "deployments/gpt-4.1/chat/completions",
        ),
        (Endpoint::Completions, "\"prompt\":\"hi\"", "deployments/gpt-4.1/completions"),
        (Endpoint::Embeddings, "\"input\":\"hi\"", "deployments/gpt-4.1/embeddings"),
        (Endpoint::Responses, "\"input\":\"hi\"", "responses"),
    ] {
        let body = format!("{{\"model\":\"azure/gpt-4o\", {field}}}");
        let mut sent = body.replace("azure/gpt-4o", "gpt-4.1");
        if field.contains("\"stream\":true") {
            sent.truncate(sent.len() - 1);
            sent += ASKED;
        }
        let path = format!("/openai/{path}?api-version=2024-10-21");
        talk.turn(Turn { endpoint, body: &body, path: &path, sent: &sent }).await;
    }
}

#[tokio::test]
async fn the_answer_names_the_deployment_and_not_what_the_body_said() {
    let talk = Talk::new(CLASSIC);
    let got = talk.rig.chat(&CLASSIC.chat()).await;
    assert_eq!(got.json()["model"], "gpt-4.1");
    assert_eq!(got.header("x-keywheel-model"), "gpt-4o");
}

#[tokio::test]
async fn a_token_goes_where_the_stanza_says_and_a_key_there_is_refused() {
    let vendor = Vendor { stanza: "auth = { header = \"authorization\", scheme = \"Bearer\" }", ..AZURE };
    let labs = Labs::start(vendor);
    let token = labs.of("a").token("a");
    let rig = Rig::keyed(&labs, "", |name| Some(labs.of(name).token(name)));
    let talk = Talk::over(labs, rig, vendor);
    let (body, sent) = (vendor.chat(), vendor.chat().replace("azure/", ""));
    let turn = Turn { endpoint: Endpoint::Chat, body: &body, path: "/openai/v1/chat/completions", sent: &sent };
    talk.turn_with(turn, "authorization", &format!("Bearer {token}")).await;

    let labs = Labs::start(vendor);
    let rig = Rig::new(&labs);
    let got = rig.chat(&vendor.chat()).await;
    assert_eq!((got.status, labs.keys().as_str()), (403, "a b"));
    assert!(["a", "b"].iter().all(|account| rig.row(account).standing == Standing::Cooling));
}

#[tokio::test]
async fn a_busy_region_sends_the_call_to_the_other_resource_at_its_own_address() {
    for answer in ["azure/high_demand", "azure/unavailable"] {
        let labs = Labs::start(AZURE);
        let rig = Rig::new(&labs);
        drop(labs.of("a").on("a").always(vendor::row(answer).script()));
        let got = rig.chat(&AZURE.chat()).await;
        assert_eq!((got.status, got.header("x-keywheel-account")), (200, "b"), "{answer}");
        let seen = labs.of("b").seen();
        assert_eq!(seen.len(), 1, "{answer}");
        assert_eq!(seen[0].headers["host"], labs.of("b").addr().to_string());
        assert_eq!(seen[0].headers["api-key"], labs.of("b").key("b"));
    }
}

#[tokio::test]
async fn one_failing_region_does_not_close_the_other() {
    let labs = Labs::start(AZURE);
    let rig = Rig::new(&labs);
    drop(labs.of("a").on("a").always(Script::reply(500, "text/plain", "oops")));
    // each from a session of its own, since a session stays where it was answered
    let chat = |n: usize| AZURE.chat().replace("hello there", &format!("session {n}"));
    for n in 0..5 {
        assert_eq!(rig.chat(&chat(n)).await.header("x-keywheel-account"), "b", "{n}");
    }
    assert_eq!(labs.of("a").count("a"), 5, "the fifth failure opens the breaker of this address");
    assert_eq!(labs.of("b").count("b"), 5);
    assert_eq!(rig.ailing(), "", "no account is blamed for it");
}
