//! The identity provider's rules: who gets which tokens, and what it takes badly.

use http::HeaderMap;
use serde_json::{Value, json};

use super::door::Form;
use super::person::{Code, DeviceLogin};
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
    pub(super) setup: Setup,
    pub(super) origin: String,
    pub(super) asked: Vec<Asked>,
    pub(super) refreshed: usize,
    families: Vec<Family>,
    pub(super) codes: Vec<Code>,
    pub(super) devices: Vec<DeviceLogin>,
    pub(super) count: usize,
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

impl Reply {
    pub(super) fn good(body: Value) -> Self {
        Self { status: 200, body, redirect: None }
    }

    pub(super) fn error(status: u16, code: &str, description: &str) -> Self {
        Self { status, body: json!({"error": code, "error_description": description}), redirect: None }
    }

    /// An error with all that was sent in its words.
    pub(super) fn repeating(mut self, fields: &Form) -> Self {
        if let Some(Value::String(words)) = self.body.get_mut("error_description") {
            let sent: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            *words = format!("{words} You sent {}", sent.join("&"));
        }
        self
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

    pub(super) const fn echoes(&self) -> bool {
        self.setup.echo
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

    pub(super) fn scoped(&self, fields: &Form) -> Result<(), Reply> {
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

    pub(super) fn life(&self) -> u64 {
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

    pub(super) fn word(&mut self, kind: &str, subject: &str) -> String {
        self.count += 1;
        format!("idp-{kind}-{subject}-{:04}-9b1f6c2e7d30a458", self.count)
    }
}
