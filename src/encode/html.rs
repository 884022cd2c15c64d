//! Text inside HTML.

/// Appends `text`, escaping the five characters that could end a text node or a quoted attribute.
/// Memory is reserved once for the result, which can be six times as long.
pub fn push_escaped(html: &mut String, text: &str) {
    html.reserve(text.chars().map(|c| entity(c).map_or(c.len_utf8(), str::len)).sum());
    for c in text.chars() {
        match entity(c) {
            Some(entity) => html.push_str(entity),
            None => html.push(c),
        }
    }
}

fn entity(c: char) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_could_leave_its_place() {
        let mut html = String::from("<p>");
        push_escaped(&mut html, "<a href=\"x\">'&amp;é");
        assert_eq!(html, "<p>&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;é");
    }

    #[test]
    fn room_is_made_once() {
        let mut html = String::new();
        push_escaped(&mut html, &"\"é".repeat(1000));
        assert_eq!((html.len(), html.capacity()), (8000, 8000));
    }
}
