//! Redaction with the real binary: masked prompts that come back whole, refusals, and a log that says nothing.

use keywheel::sim::lab::Setup;
use keywheel::sim::{Persona, Script};
use serde_json::{Value, json};

use crate::e2e_rig::{Rig, text, until};
use crate::support::client::End;
use crate::support::{Client, SOON};

const CHAT: &str = "/v1/chat/completions";
const SECRETS: [&str; 3] = ["jane.doe@example.org", "4111 1111 1111 1111", "+49 30 901820-33"];

fn prompt(model: &str, stream: bool) -> Value {
    let words = format!("Ask {} for {} or {} please", SECRETS[0], SECRETS[1], SECRETS[2]);
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": words}]})
}

fn rig() -> Rig {
    Rig::with_start(
        Setup::new(Persona::Generic),
        &["a"],
        |config| {
            config.more(
                "[models.masked]\nroute = ['lab/echo']\nredact = 'mask'\n\
                 [models.blocked]\nroute = ['lab/echo']\nredact = 'block'\n\
                 [models.plain]\nroute = ['lab/echo']\n\
                 [clients.careful]\nredact = 'block'\n",
            )
        },
        |start| start.env("KEYWHEEL_LOG", "trace"),
    )
}

#[tokio::test]
async fn a_masked_prompt_comes_back_whole_and_the_provider_never_sees_it() {
    let rig = rig();
    let spoken = prompt("masked", false)["messages"][0]["content"].clone();
    let whole = rig.keywheel.client().post(CHAT, &prompt("masked", false)).await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.json().await["choices"][0]["message"]["content"], spoken);

    let (frames, end) = rig.keywheel.client().post(CHAT, &prompt("masked", true)).await.frames().await;
    assert_eq!(end, End::Clean);
    let mut said = String::new();
    for frame in frames.iter().filter(|frame| !frame.bytes.starts_with(b"data: [DONE]")) {
        said += text(&frame.json()["choices"][0]["delta"]["content"]);
    }
    assert_eq!(json!(said), spoken);

    let plain = rig.keywheel.client().post(CHAT, &prompt("plain", false)).await;
    assert_eq!(plain.json().await["choices"][0]["message"]["content"], spoken);

    let calls = rig.calls();
    assert_eq!(calls.len(), 3);
    let holds = |at: usize, words: &str| String::from_utf8_lossy(&calls[at].body).contains(words);
    for secret in SECRETS {
        assert!(!holds(0, secret) && !holds(1, secret), "{secret} was sent");
        assert!(holds(2, secret), "off is off");
        assert!(!rig.keywheel.words().contains(secret), "{secret} stands in the log");
    }
    assert!(holds(0, "Ask [email-1] for [card-1] or [phone-1] please"));
    assert!(rig.keywheel.words().contains("TRACE"), "the log is at its loudest");
}

#[tokio::test]
async fn a_blocked_prompt_is_the_clients_own_mistake() {
    let rig = rig();
    let careful = rig.add_client("careful", &[]);
    let guest = rig.keywheel.client();
    let new = Client::tcp(rig.keywheel.addr()).key(&careful);
    until("the new key is known", SOON, async || new.get("/v1/models").await.status == 200).await;
    for (client, model) in [(guest.clone(), "blocked"), (new, "masked")] {
        let response = client.post(CHAT, &prompt(model, false)).await;
        assert_eq!(response.status, 400);
        let body = response.text().await;
        assert!(body.contains("email at messages[0].content"), "{body}");
        assert!(SECRETS.iter().all(|secret| !body.contains(secret)), "{body}");
    }
    assert!(rig.calls().is_empty(), "nothing was sent");
    rig.assert_untouched("a refusal");
    let fine = json!({"model": "blocked", "messages": [{"role": "user", "content": "hello there"}]});
    assert_eq!(guest.post(CHAT, &fine).await.status, 200);
}

#[tokio::test]
async fn what_a_provider_says_in_an_error_is_clean_of_secrets_that_nobody_knew() {
    let rig = rig();
    let foreign = format!("AKIA{}", "Q7ZT2MXB5KLR9VWD");
    let words = format!("bad request by {} with {foreign}", SECRETS[0]);
    rig.lab.on("a").always(Script::json(400, &json!({"error": {"message": words, "type": "invalid_request_error"}})));
    let body = rig.keywheel.client().post(CHAT, &prompt("plain", false)).await.text().await;
    assert!(body.contains("bad request by [redacted] with [redacted]"), "{body}");
    // also what the gateway itself repeats
    let pasted = format!("lab-{}-{}", "sk", "a1B2c3D4e5F6".repeat(4));
    let answer = rig.keywheel.client().header("x-keywheel-provider", &pasted).get("/v1/files").await;
    assert_eq!(answer.status, 404);
    let words = answer.text().await;
    assert!(!words.contains(&pasted[4..]) && words.contains("[redacted]"), "{words}");
    let rows = rig.keywheel.run(["requests", "--json"]);
    let rows = String::from_utf8_lossy(&rows.stdout).into_owned() + &rig.keywheel.words();
    assert!(!rows.contains(&foreign) && !rows.contains(SECRETS[0]), "{rows}");
}
