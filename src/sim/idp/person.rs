//! Logins for which the identity provider needs a person: on its page, or with a code on a device.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::book::{Book, Reply};
use super::door::Form;
use crate::kit::Time;

/// A code that a login page gave out.
pub(super) struct Code {
    code: String,
    redirect: String,
    challenge: String,
    used: bool,
    until: Time,
}

/// A login by device code.
pub(super) struct DeviceLogin {
    code: String,
    user_code: String,
    interval: Duration,
    asked: Option<Time>,
    agreed: Option<bool>,
    used: bool,
}

impl Book {
    /// The person at a device agrees or declines.
    pub(super) fn decide(&mut self, user_code: &str, agreed: bool) {
        for device in self.devices.iter_mut().filter(|device| device.user_code == user_code) {
            device.agreed = Some(agreed);
        }
    }

    /// `/authorize`: the person agrees at once.
    pub(super) fn authorize(&mut self, query: &Form, now: Time) -> Reply {
        let field = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let bad = |words: &str| Reply::error(400, "invalid_request", words);
        if field("response_type") != "code" || field("client_id") != self.setup.client.id {
            return bad("response_type or client_id is wrong.");
        }
        if field("code_challenge_method") != "S256" || field("code_challenge").len() != 43 {
            return bad("A code_challenge with S256 is needed.");
        }
        if field("state").len() < 16 {
            return bad("The state is missing or can be guessed.");
        }
        if let Err(reply) = self.scoped(query) {
            return reply;
        }
        let redirect = field("redirect_uri").to_owned();
        let local = redirect.parse::<url::Url>().is_ok_and(|url| crate::sim::is_loopback(&url));
        if !local {
            return bad("The redirect_uri is not registered.");
        }
        let code = self.word("code", "login");
        let challenge = field("code_challenge").to_owned();
        let until = now.after(Duration::from_secs(60));
        let state = if self.setup.wrong_state { "another-state-than-was-sent" } else { field("state") };
        let pairs = [("code", code.as_str()), ("state", state)];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let to = format!("{redirect}?{query}");
        self.codes.push(Code { code, redirect, challenge, used: false, until });
        Reply { status: 302, body: Value::Null, redirect: Some(to) }
    }

    pub(super) fn code(&mut self, fields: &Form, now: Time) -> Reply {
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let refuse = |words: &str| Reply::error(400, "invalid_grant", words);
        let Some(code) = self.codes.iter_mut().find(|code| code.code == field("code")) else {
            return refuse("The code is not known.");
        };
        if std::mem::replace(&mut code.used, true) || now >= code.until {
            return refuse("The code was used before, or is too old.");
        }
        if code.redirect != field("redirect_uri") {
            return refuse("The redirect_uri is another one.");
        }
        let verifier = field("code_verifier");
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        if !(43..=128).contains(&verifier.len()) || digest != code.challenge {
            return refuse("The code_verifier does not match the code_challenge.");
        }
        self.first_tokens("code")
    }

    /// `/device`
    pub(super) fn device(&mut self, fields: &Form) -> Reply {
        if fields.get("client_id") != Some(&self.setup.client.id) {
            return Reply::error(401, "invalid_client", "The client_id is not known.");
        }
        if let Err(reply) = self.scoped(fields) {
            return reply;
        }
        let code = self.word("device", "code");
        let user_code = format!("WDJB-{:04}", self.count);
        let url = format!("{}/activate", self.origin);
        let interval = Duration::from_secs(self.setup.interval);
        let answer = json!({"device_code": code, "user_code": user_code, "verification_uri": url,
            "verification_uri_complete": format!("{url}?user_code={user_code}"),
            "expires_in": 900, "interval": self.setup.interval});
        self.devices.push(DeviceLogin { code, user_code, interval, asked: None, agreed: None, used: false });
        Reply::good(answer)
    }

    pub(super) fn poll(&mut self, fields: &Form, now: Time) -> Reply {
        let code = fields.get("device_code").cloned().unwrap_or_default();
        let Some(device) = self.devices.iter_mut().find(|device| device.code == code) else {
            return Reply::error(400, "bad_verification_code", "The device code is not known.");
        };
        // half a second is for the way
        let early = Duration::from_millis(500);
        let soon = device.asked.is_some_and(|asked| now.since(asked) + early < device.interval);
        device.asked = Some(now);
        if soon {
            device.interval += Duration::from_secs(1);
            let mut reply = Reply::error(400, "slow_down", "Too many questions.");
            reply.body["interval"] = device.interval.as_secs().into();
            return reply;
        }
        match device.agreed {
            None => Reply::error(400, "authorization_pending", "The person has not agreed yet."),
            Some(false) => Reply::error(400, "access_denied", "The person declined."),
            Some(true) if std::mem::replace(&mut device.used, true) => {
                Reply::error(400, "bad_verification_code", "The device code was used before.")
            }
            Some(true) => self.first_tokens("device"),
        }
    }

    fn first_tokens(&mut self, subject: &str) -> Reply {
        let (access, refresh) = self.login(subject);
        let life = self.life();
        Reply::good(
            json!({"token_type": "Bearer", "expires_in": life, "access_token": access, "refresh_token": refresh}),
        )
    }
}
