//! Proof Key for Code Exchange (RFC 7636): whoever redeems a code must know the verifier that its
//! request was made with.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Client, ErrorCode, Known, OAuthError, Rule};
use crate::crypto::{same, sha256};
use crate::encode::form::Form;

const CHALLENGE_SENT: Rule = Rule {
    code: ErrorCode::InvalidRequest,
    checked: "there is a code_challenge, if the client needs one",
    broken: "code_challenge is required",
    source: "RFC 7636, section 4.4.1",
};
const METHOD_OF_A_CHALLENGE: Rule = Rule {
    checked: "code_challenge_method comes with a code_challenge",
    broken: "code_challenge_method was sent without code_challenge",
    source: "RFC 7636, section 4.3",
    ..CHALLENGE_SENT
};
const BY_S256: Rule = Rule {
    checked: "the code_challenge_method is S256",
    broken: "code_challenge_method must be S256",
    ..CHALLENGE_SENT
};
const CHALLENGE_WELL_FORMED: Rule = Rule {
    checked: "the code_challenge is well-formed",
    broken: "code_challenge is malformed",
    source: "RFC 7636, section 4.2",
    ..CHALLENGE_SENT
};

/// The request's code challenge (RFC 7636, section 4.3), which must use `S256`.
pub fn challenge<'a>(
    known: &Known,
    client: &Client,
    form: &'a Form,
) -> Result<Option<&'a str>, OAuthError> {
    match (form.get("code_challenge"), form.get("code_challenge_method")) {
        (None, method) => {
            known.must(method.is_none(), METHOD_OF_A_CHALLENGE)?;
            known.must(!client.needs_pkce(), CHALLENGE_SENT)?;
            Ok(None)
        }
        (Some(challenge), method) => {
            known.must(method == Some("S256"), BY_S256)?;
            known.must(is_well_formed(challenge), CHALLENGE_WELL_FORMED)?;
            Ok(Some(challenge))
        }
    }
}

/// Verifier and challenge have 43 to 128 unreserved characters (RFC 7636, sections 4.1 and 4.2).
fn is_well_formed(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

/// Whether `challenge` was made from `verifier` by the method `S256` (RFC 7636, section 4.6).
pub fn verify(verifier: &str, challenge: &str) -> bool {
    let made = URL_SAFE_NO_PAD.encode(sha256::digest(verifier.as_bytes()));
    is_well_formed(verifier) && same(challenge.as_bytes(), made.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_appendix_b() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(verify(verifier, challenge));
        assert!(!verify(&verifier.replace('d', "e"), challenge));
        assert!(!verify(verifier, verifier));
    }

    #[test]
    fn length_and_characters() {
        assert!(is_well_formed(&"a".repeat(43)) && is_well_formed(&"-._~".repeat(32)));
        for text in ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(43))] {
            assert!(!is_well_formed(&text));
        }
        let short = "short";
        let made = URL_SAFE_NO_PAD.encode(sha256::digest(short.as_bytes()));
        assert!(!verify(short, &made));
    }
}
