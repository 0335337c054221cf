//! The identity provider's rules: who gets which tokens, and what it takes badly.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::door::Form;
use super::{Rotation, Setup, assertion};
use crate::kit::Time;

/// A request for a token as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its `grant_type`.
    pub grant: String,
    /// The refresh token, code or device code in it.
    pub with: String,
}

/// Who asked by HTTP Basic.
pub(super) struct Sender(pub(super) Option<(String, String)>);

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) redirect: Option<String>,
}

/// All that is known.
pub(super) struct Book {
    setup: Setup,
    origin: String,
    pub(super) asked: Vec<Asked>,
    pub(super) refreshed: usize,
    families: Vec<Family>,
    codes: Vec<Code>,
    devices: Vec<DeviceLogin>,
    count: usize,
}

/// The tokens that descend from one login.
struct Family {
    subject: String,
    current: String,
    spent: Vec<Spent>,
    access: Vec<String>,
    revoked: bool,
}

struct Spent {
    token: String,
    at: Time,
    answer: Value,
}

struct Code {
    code: String,
    redirect: String,
    challenge: String,
    used: bool,
    until: Time,
}

struct DeviceLogin {
    code: String,
    user_code: String,
    interval: Duration,
    asked: Option<Time>,
    agreed: Option<bool>,
    used: bool,
}

impl Reply {
    fn good(body: Value) -> Self {
        Self { status: 200, body, redirect: None }
    }

    pub(super) fn error(status: u16, code: &str, description: &str) -> Self {
        Self { status, body: json!({"error": code, "error_description": description}), redirect: None }
    }
}

impl Book {
    pub(super) fn new(setup: Setup, origin: String) -> Self {
        let (asked, families, codes, devices) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { setup, origin, asked, refreshed: 0, families, codes, devices, count: 0 }
    }

    pub(super) const fn skew(&self) -> i64 {
        self.setup.skew
    }

    pub(super) const fn errors_in_200(&self) -> bool {
        self.setup.errors_in_200
    }

    pub(super) fn arrived(&mut self, fields: &Option<Form>) {
        let field = |name: &str| fields.as_ref().and_then(|fields| fields.get(name)).cloned();
        let with = ["refresh_token", "code", "device_code", "assertion"].into_iter().find_map(field);
        let grant = field("grant_type").unwrap_or_default();
        self.asked.push(Asked { grant, with: with.unwrap_or_default() });
    }

    pub(super) fn login(&mut self, subject: &str) -> (String, String) {
        let (access, refresh) = (self.access(subject), self.refresh(subject));
        self.families.push(Family {
            subject: subject.to_owned(),
            current: refresh.clone(),
            spent: Vec::new(),
            access: vec![access.clone()],
            revoked: false,
        });
        (access, refresh)
    }

    pub(super) fn revoked(&self, subject: &str) -> bool {
        self.families.iter().any(|family| family.subject == subject && family.revoked)
    }

    pub(super) fn decide(&mut self, user_code: &str, agreed: bool) {
        for device in self.devices.iter_mut().filter(|device| device.user_code == user_code) {
            device.agreed = Some(agreed);
        }
    }

    /// `/token`
    pub(super) fn token(&mut self, fields: &Form, sender: &Sender, now: Time) -> Reply {
        let grant = fields.get("grant_type").map(String::as_str).unwrap_or_default();
        let signed = grant == "urn:ietf:params:oauth:grant-type:jwt-bearer";
        if !signed && let Err(reply) = self.client(fields, sender, grant) {
            return reply;
        }
        match grant {
            "client_credentials" => self.credentials(fields),
            "refresh_token" => self.rotate(fields, now),
            "authorization_code" => self.code(fields, now),
            "urn:ietf:params:oauth:grant-type:device_code" => self.poll(fields, now),
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => self.signed(fields, now),
            _ => Reply::error(400, "unsupported_grant_type", "This grant is not known here."),
        }
    }

    /// Whether it is the registered client, shown in the one way that was registered.
    fn client(&self, fields: &Form, sender: &Sender, grant: &str) -> Result<(), Reply> {
        let client = &self.setup.client;
        let refuse = |words: &str| Err(Reply::error(401, "invalid_client", words));
        let body = (fields.get("client_id"), fields.get("client_secret"));
        match (&client.secret, &sender.0, body) {
            (Some(secret), Some((id, sent)), (_, None)) if client.basic => match (id, sent) == (&client.id, secret) {
                true => Ok(()),
                false => refuse("Invalid client secret provided."),
            },
            (Some(secret), None, (Some(id), Some(sent))) if !client.basic => match (id, sent) == (&client.id, secret) {
                true => Ok(()),
                false => refuse("Invalid client secret provided."),
            },
            (None, None, (Some(id), None)) if *id == client.id && grant != "client_credentials" => Ok(()),
            (_, None, (None, _)) => refuse("The client_id is missing."),
            _ => refuse("The client authenticates in another way."),
        }
    }

    fn scoped(&self, fields: &Form) -> Result<(), Reply> {
        match &self.setup.scope {
            Some(scope) if fields.get("scope") != Some(scope) => {
                Err(Reply::error(400, "invalid_scope", "The scope is not the one that was registered."))
            }
            _ => Ok(()),
        }
    }

    fn credentials(&mut self, fields: &Form) -> Reply {
        if let Err(reply) = self.scoped(fields) {
            return reply;
        }
        let access = self.access("client");
        // no refresh token: the client asks again
        Reply::good(json!({"token_type": "Bearer", "expires_in": self.life(), "access_token": access}))
    }

    fn rotate(&mut self, fields: &Form, now: Time) -> Reply {
        let token = fields.get("refresh_token").cloned().unwrap_or_default();
        let known = |family: &Family| family.current == token || family.spent.iter().any(|spent| spent.token == token);
        let Some(at) = self.families.iter().position(known) else {
            return Reply::error(400, "invalid_grant", "The refresh token is not known.");
        };
        if self.families[at].revoked {
            return Reply::error(400, "invalid_grant", "The refresh token was revoked.");
        }
        if let Some(spent) = self.families[at].spent.iter().find(|spent| spent.token == token) {
            if now.since(spent.at) < self.setup.grace {
                return Reply::good(spent.answer.clone());
            }
            self.revoke(at);
            return Reply::error(
                400,
                "invalid_grant",
                "The refresh token was used before; all of its family are revoked.",
            );
        }
        let subject = self.families[at].subject.clone();
        let access = self.access(&subject);
        let mut answer = json!({"token_type": "Bearer", "expires_in": self.life(), "access_token": access});
        self.families[at].access.push(access);
        if self.setup.rotation == Rotation::Rotate {
            let next = self.refresh(&subject);
            answer["refresh_token"] = next.clone().into();
            let family = &mut self.families[at];
            family.current = next;
            family.spent.push(Spent { token, at: now, answer: answer.clone() });
        }
        self.refreshed += 1;
        Reply::good(answer)
    }

    fn revoke(&mut self, at: usize) {
        self.families[at].revoked = true;
        if let Some(ring) = &self.setup.ring {
            self.families[at].access.iter().for_each(|token| ring.refuse(token));
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

    fn code(&mut self, fields: &Form, now: Time) -> Reply {
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
    pub(super) fn device(&mut self, fields: &Form, now: Time) -> Reply {
        let _ = now;
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

    fn poll(&mut self, fields: &Form, now: Time) -> Reply {
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

    fn signed(&mut self, fields: &Form, now: Time) -> Reply {
        let Some((email, public_key)) = &self.setup.service_account else {
            return Reply::error(400, "invalid_grant", "Invalid grant: account not found.");
        };
        let audience = format!("{}/token", self.origin);
        let now = now.as_secs() + self.setup.skew;
        let expected = assertion::Expected { email, public_key, audience: &audience, now };
        let text = fields.get("assertion").map(String::as_str).unwrap_or_default();
        if let Err(words) = assertion::check(text, &expected) {
            return Reply::error(400, "invalid_grant", words);
        }
        let access = self.access("service");
        Reply::good(json!({"access_token": access, "expires_in": self.life(), "token_type": "Bearer"}))
    }

    /// The metadata service: numbers are texts, and the end is an instant.
    pub(super) fn machine(&mut self, headers: &HeaderMap, query: &Form, now: Time) -> Reply {
        self.asked
            .push(Asked { grant: "machine".to_owned(), with: query.get("resource").cloned().unwrap_or_default() });
        if headers.get("metadata").is_none_or(|value| value != "true") || headers.contains_key("x-forwarded-for") {
            return Reply::error(400, "bad_request_102", "Required metadata header not specified.");
        }
        if query.get("api-version").is_none_or(|version| version != "2018-02-01") {
            return Reply::error(400, "invalid_request", "The api-version is missing.");
        }
        if query.get("resource").is_none_or(|resource| resource.is_empty() || resource.ends_with("/.default")) {
            return Reply::error(400, "invalid_resource", "The resource is missing or is a scope.");
        }
        if !self.setup.machine_fails.is_empty() {
            let status = self.setup.machine_fails.remove(0);
            return Reply { status, body: json!({"message": "not now"}), redirect: None };
        }
        let access = self.access("machine");
        let ends = now.as_secs() + self.setup.skew + self.setup.life.as_secs().cast_signed();
        Reply::good(json!({"access_token": access, "expires_on": ends.to_string(), "resource": query.get("resource"),
            "token_type": "Bearer"}))
    }

    fn life(&self) -> u64 {
        self.setup.life.as_secs()
    }

    fn access(&mut self, subject: &str) -> String {
        let token = self.word("access", subject);
        if let Some(ring) = &self.setup.ring {
            ring.admit(subject, &token, self.setup.life);
        }
        token
    }

    fn refresh(&mut self, subject: &str) -> String {
        self.word("refresh", subject)
    }

    fn word(&mut self, kind: &str, subject: &str) -> String {
        self.count += 1;
        format!("idp-{kind}-{subject}-{:04}-9b1f6c2e7d30a458", self.count)
    }
}
