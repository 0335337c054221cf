//! Secrets by the formats that their issuers document.

/// What is promised of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Known to this process: always found.
    Vault,
    /// With its issuer's mark: always found.
    Marked,
    /// Of a person, with a checksum or a form of its own.
    Summed,
    /// Random, and known by its name alone.
    Random,
}

/// One format.
pub struct Format {
    pub id: &'static str,
    pub class: Class,
    /// The name of the field in which it stands.
    pub name: &'static str,
    pub make: fn(&mut Draw) -> String,
    /// What of it must not be seen; all of it, where there is none.
    pub core: Option<fn(&str) -> String>,
}

/// Draws the same characters in every run.
pub struct Draw(u64);

const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const NAME: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }

    pub fn of(&mut self, set: &str, count: usize) -> String {
        (0..count).map(|_| char::from(set.as_bytes()[self.next(set.len())])).collect()
    }

    /// A random end that is no `-` or `_`, as a key at the end of a sentence has.
    fn name(&mut self, count: usize) -> String {
        self.of(NAME, count - 1) + &self.of(ALNUM, 1)
    }
}

macro_rules! marked {
    ($($id:literal, $name:literal, |$draw:ident| $make:expr;)*) => {
        [$(Format { id: $id, class: Class::Marked, name: $name, make: |$draw| $make, core: None }),*]
    };
}

macro_rules! random {
    ($($id:literal, $name:literal, |$draw:ident| $make:expr;)*) => {
        [$(Format { id: $id, class: Class::Random, name: $name, make: |$draw| $make, core: None }),*]
    };
}

macro_rules! summed {
    ($($id:literal, $name:literal, |$draw:ident| $make:expr;)*) => {
        [$(Format { id: $id, class: Class::Summed, name: $name, make: |$draw| $make, core: None }),*]
    };
}

/// All of them. Field names of marked ones say nothing, so that the mark alone must do.
pub fn formats() -> Vec<Format> {
    let vault = [
        ("vault-words", (|draw| format!("pass {} phrase", draw.of(LOWER, 6))) as fn(&mut Draw) -> String),
        ("vault-short", |draw| draw.of(LOWER, 8)),
        ("vault-long", |draw| draw.of(ALNUM, 200)),
        ("vault-signs", |draw| format!("{}~!*'()", draw.of(ALNUM, 12))),
    ];
    let vault = vault.map(|(id, make)| Format { id, class: Class::Vault, name: "value", make, core: None });
    vault.into_iter().chain(keys()).chain(places()).chain(people()).chain(named()).collect()
}

fn keys() -> [Format; 27] {
    marked! {
        "openai project", "value", |d| format!("sk-proj-{}T3BlbkFJ{}", d.name(74), d.name(74));
        "openai service", "value", |d| format!("sk-svcacct-{}T3BlbkFJ{}", d.name(58), d.name(58));
        "openai old", "value", |d| format!("sk-{}T3BlbkFJ{}", d.of(ALNUM, 20), d.of(ALNUM, 20));
        "anthropic", "value", |d| format!("sk-ant-api03-{}AA", d.name(93));
        "xai", "value", |d| format!("xai-{}", d.of(ALNUM, 80));
        "deepseek", "value", |d| format!("sk-{}", d.of(HEX, 32));
        "openrouter", "value", |d| format!("sk-or-v1-{}", d.of(HEX, 64));
        "gemini", "value", |d| format!("AIzaSy{}", d.name(33));
        "groq", "value", |d| format!("gsk_{}", d.of(ALNUM, 52));
        "hugging face", "value", |d| format!("hf_{}", d.of(&ALNUM[..52], 34));
        "perplexity", "value", |d| format!("pplx-{}", d.of(ALNUM, 48));
        "replicate", "value", |d| format!("r8_{}", d.of(ALNUM, 37));
        "nvidia", "value", |d| format!("nvapi-{}", d.name(64));
        "aws id", "value", |d| format!("AKIA{}", d.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16));
        "aws session id", "value", |d| format!("ASIA{}", d.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16));
        "google oauth", "value", |d| format!("ya29.a0{}", d.name(150));
        "google client secret", "value", |d| format!("GOCSPX-{}", d.name(28));
        "azure ad secret", "value", |d| format!("{}8Q~{}", d.of(ALNUM, 3), d.name(34));
        "azure openai", "value", |d| format!("{}JQQJ99{}", d.of(ALNUM, 52), d.of(ALNUM, 26));
        "digitalocean", "value", |d| format!("dop_v1_{}", d.of(HEX, 64));
        "databricks", "value", |d| format!("dapi{}", d.of(HEX, 32));
        "hashicorp vault", "value", |d| format!("hvs.CAESI{}", d.name(90));
        "stripe live", "value", |d| format!("sk_live_51{}", d.of(ALNUM, 97));
        "stripe restricted", "value", |d| format!("rk_test_{}", d.of(ALNUM, 24));
        "twilio", "value", |d| format!("SK{}", d.of(HEX, 32));
        "sendgrid", "value", |d| format!("SG.{}.{}", d.name(22), d.name(43));
        "telegram", "value", |d| format!("{}:AA{}", d.of("123456789", 10), d.name(33));
    }
}

fn places() -> [Format; 16] {
    marked! {
        "github classic", "value", |d| format!("ghp_{}", d.of(ALNUM, 36));
        "github app", "value", |d| format!("ghs_{}", d.of(ALNUM, 36));
        "github fine", "value", |d| format!("github_pat_{}_{}", d.of(ALNUM, 22), d.of(ALNUM, 59));
        "gitlab", "value", |d| format!("glpat-{}", d.name(20));
        "npm", "value", |d| format!("npm_{}", d.of(ALNUM, 36));
        "pypi", "value", |d| format!("pypi-AgEIcHlwaS5vcmcC{}", d.name(150));
        "docker", "value", |d| format!("dckr_pat_{}", d.name(27));
        "slack bot", "value", |d| format!("xoxb-{}-{}-{}", d.of(DIGITS, 12), d.of(DIGITS, 13), d.of(ALNUM, 24));
        "slack app", "value", |d| format!("xapp-1-A{}-{}-{}", d.of(UPPER, 10), d.of(DIGITS, 13), d.of(HEX, 64));
        "shopify", "value", |d| format!("shpat_{}", d.of(HEX, 32));
        "linear", "value", |d| format!("lin_api_{}", d.of(ALNUM, 40));
        "notion", "value", |d| format!("ntn_{}", d.of(ALNUM, 46));
        "grafana", "value", |d| format!("glsa_{}_{}", d.of(ALNUM, 32), d.of(HEX, 8));
        "age", "value", |d| format!("AGE-SECRET-KEY-1{}", d.of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58));
        "jwt", "value", |d| format!("eyJhbGciOiJIUzI1NiJ9.eyJ{}.{}", d.name(80), d.name(43));
        "jwt rsa", "value", |d| format!("eyJ{}.eyJ{}.{}", d.name(50), d.name(200), d.name(342));
    }
}

fn people() -> [Format; 9] {
    summed! {
        "visa", "value", |d| with_luhn(format!("4{}", d.of(DIGITS, 14)));
        "visa grouped", "value", |d| grouped(&with_luhn(format!("4{}", d.of(DIGITS, 14))), " ");
        "mastercard dashed", "value", |d| grouped(&with_luhn(format!("53{}", d.of(DIGITS, 13))), "-");
        "amex", "value", |d| with_luhn(format!("37{}", d.of(DIGITS, 12)));
        "iban de", "value", |d| iban("DE", &d.of(DIGITS, 18));
        "iban gb", "value", |d| iban("GB", &format!("{}{}", d.of(&UPPER[..26], 4), d.of(DIGITS, 14)));
        "iban fr grouped", "value", |d| grouped(&iban("FR", &format!("{}{}{}", d.of(DIGITS, 10), d.of(UPPER, 11), d.of(DIGITS, 2))), " ");
        "iban nl grouped", "value", |d| grouped(&iban("NL", &format!("{}{}", d.of(&UPPER[..26], 4), d.of(DIGITS, 10))), " ");
        "iban es", "value", |d| iban("ES", &d.of(DIGITS, 20));
    }
}

fn named() -> [Format; 14] {
    random! {
        "mistral", "mistral_api_key", |d| d.of(ALNUM, 32);
        "cohere", "COHERE_API_KEY", |d| d.of(ALNUM, 40);
        "azure cognitive", "AZURE_API_KEY", |d| d.of(HEX, 32);
        "datadog", "DD_API_KEY", |d| d.of(HEX, 32);
        "cloudflare", "CLOUDFLARE_API_TOKEN", |d| d.name(40);
        "aws secret", "aws_secret_access_key", |d| d.of(BASE64, 39) + &d.of(ALNUM, 1);
        "client secret", "client_secret", |d| d.name(40);
        "session secret", "SESSION_SECRET", |d| d.of(HEX, 64);
        "refresh token", "refresh_token", |d| d.name(64);
        "auth token", "auth_token", |d| d.of(LOWER, 40);
        "base64 secret", "jwt_secret", |d| d.of(BASE64, 43) + "=";
        "access token", "access_token", |d| d.of(ALNUM, 24);
        "password", "db_password", |d| d.of(ALNUM, 16);
        "encryption key", "ENCRYPTION_KEY", |d| d.of(HEX, 64);
    }
}

/// The digits with the one that makes their sum right (ISO/IEC 7812-1, annex B).
fn with_luhn(digits: String) -> String {
    let mut sum = 0;
    for (at, digit) in digits.chars().rev().enumerate() {
        let value = digit.to_digit(10).expect("a digit") * if at % 2 == 0 { 2 } else { 1 };
        sum += value / 10 + value % 10;
    }
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// The account with its check digits (ISO 13616: 98 less the rest modulo 97).
fn iban(country: &str, account: &str) -> String {
    let mut rest = 0;
    for c in format!("{account}{country}00").chars() {
        for digit in c.to_digit(36).expect("a letter or digit").to_string().chars() {
            rest = (rest * 10 + digit.to_digit(10).expect("a digit")) % 97;
        }
    }
    format!("{country}{:02}{account}", 98 - rest)
}

/// In groups of four.
fn grouped(text: &str, sign: &str) -> String {
    let groups: Vec<&str> = (0..text.len()).step_by(4).map(|at| &text[at..(at + 4).min(text.len())]).collect();
    groups.join(sign)
}
