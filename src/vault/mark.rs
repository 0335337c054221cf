//! A short mark of a secret, by which the next start can tell that it is still the same one.

use hkdf::Hkdf;
use sha2::Sha256;

use crate::kit::Secret;

/// A mark under a salt that is random for each installation. Four bytes: enough to tell a new key from an old one, and
/// nothing from which to tell what either is. `None` only when the salt is unusable.
pub fn mark(secret: &Secret, salt: &[u8]) -> Option<String> {
    let mut mark = [0; 4];
    Hkdf::<Sha256>::new(Some(salt), secret.expose().as_bytes()).expand(b"keywheel mark of a secret", &mut mark).ok()?;
    Some(format!("{:08x}", u32::from_be_bytes(mark)))
}
