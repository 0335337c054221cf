//! Whether a service account's signed request is what it should be (RFC 7523, as the large clouds enforce it).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

/// What it must say.
pub(super) struct Expected<'a> {
    pub(super) email: &'a str,
    pub(super) public_key: &'a [u8],
    pub(super) audience: &'a str,
    /// By the identity provider's own clock, in seconds.
    pub(super) now: i64,
}

/// Clocks may differ by this much.
const TOLERANCE: i64 = 300;

/// Why it is refused, in the words that people look for.
pub(super) fn check(assertion: &str, expected: &Expected<'_>) -> Result<(), &'static str> {
    let (signed, signature) = assertion.rsplit_once('.').ok_or("Invalid JWT: three parts are needed.")?;
    let (head, claims) = signed.split_once('.').ok_or("Invalid JWT: three parts are needed.")?;
    let part = |text: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok() };
    let (Some(head), Some(claims)) = (part(head), part(claims)) else { return Err("Invalid JWT: not base64 or JSON.") };
    if head["alg"] != "RS256" || head["typ"] != "JWT" {
        return Err("Invalid JWT: alg must be RS256.");
    }
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, expected.public_key);
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "Invalid JWT Signature.")?;
    key.verify(signed.as_bytes(), &signature).map_err(|_| "Invalid JWT Signature.")?;
    if claims["iss"] != expected.email {
        return Err("Invalid grant: account not found.");
    }
    if claims["aud"] != expected.audience {
        return Err("Invalid JWT: Failed audience check.");
    }
    let (issued, ends) = (claims["iat"].as_i64().unwrap_or(0), claims["exp"].as_i64().unwrap_or(0));
    if issued > expected.now + TOLERANCE || ends < expected.now || ends > issued + 3600 {
        return Err(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check \
             your iat and exp values in the JWT claim.",
        );
    }
    Ok(())
}
