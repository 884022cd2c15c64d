//! `store` and the keys that belong to it: the engine that replicas share.

use super::Outside;
use super::keys::Keys;
use super::secret::STORE_PASSWORD;
use crate::oauth::secret::StoredSecret;
use crate::store::{EngineConfig, EnginePlace};

const DEFAULT_PREFIX: &str = "{oauth2d}";

/// Takes the keys; `None` without `store`, and then the others are faults.
pub fn read(keys: &mut Keys, outside: &Outside) -> Option<EngineConfig> {
    let place = keys.take("store").and_then(|value| {
        let parsed = EnginePlace::parse(&value.text);
        parsed.map_err(|what| keys.fault(value.line, format!("store {what}"))).ok()
    });
    let user = keys.take("store_user");
    let password = STORE_PASSWORD.take(keys, outside);
    let prefix = keys.take("store_prefix");
    let lines = [
        ("store_user", user.as_ref().map(|value| value.line)),
        ("store_password", password.as_ref().map(|given| given.line)),
        ("store_prefix", prefix.as_ref().map(|value| value.line)),
    ];
    if !keys.has("store") {
        for (key, line) in lines.into_iter().filter_map(|(key, line)| Some((key, line?))) {
            keys.fault(line, format!("{key} needs store"));
        }
    }
    let is_visible = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    if let Some(value) = prefix.as_ref().filter(|value| !is_visible(&value.text)) {
        let what =
            "store_prefix must be visible ASCII characters without blanks, such as {oauth2d}";
        keys.fault(value.line, what);
    }
    let password = password.and_then(|given| match given.secret {
        StoredSecret::Plain(secret) => Some(secret),
        _ => None,
    });
    Some(EngineConfig {
        place: place?,
        user: user.map(|value| value.text).filter(|user| !user.is_empty()),
        password,
        prefix: prefix.map_or(DEFAULT_PREFIX.into(), |value| value.text),
    })
}

/// Refuses `store` beside `state_file`.
pub fn stands_alone(keys: &mut Keys) {
    if let (Some(store), Some(file)) = (keys.place("store"), keys.place("state_file")) {
        let what = "store and state_file are both set; keep one of them";
        keys.fault(store.max(file), what);
    }
}
