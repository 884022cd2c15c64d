//! A single key of `[server]`, for commands that need no more of the file.

use super::{Finding, SERVER, ini};

/// The value of this key, if there is one, whatever else is wrong with the file.
pub fn only(text: &[u8], key: &str) -> Result<Option<String>, Finding> {
    let (sections, _) = ini::parse(text);
    let servers = sections.into_iter().filter(|section| section.kind == SERVER);
    let entry = servers.flat_map(|section| section.entries).find(|entry| entry.key == key);
    let Some(ini::Entry { line, value, .. }) = entry else { return Ok(None) };
    match value {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(why) => Err(Finding { line: Some(line), what: format!("{key} {why}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_faults_do_not_count() {
        let text = b"x\n[client\n[server]\nnonsense = 1\ncontrol = a b\ncontrol = c\n[user u]\n";
        assert_eq!(only(text, "control"), Ok(Some("a b".into())));
        assert_eq!(only(text, "listen"), Ok(None));
        assert_eq!(only(b"[server]\ncontrol =\n", "control"), Ok(None));
        let what = "control begins with a double quote and must end with one".to_string();
        let fault = Finding { line: Some(2), what };
        assert_eq!(only(b"[server]\ncontrol = \"a\n", "control"), Err(fault));
    }
}
