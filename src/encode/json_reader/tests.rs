use super::*;
use proptest::prelude::*;
use serde_json::Value as Theirs;

fn read(text: &str) -> Option<Value<'_>> {
    Value::read(text.as_bytes())
}

/// The same value, as our reader reads it.
fn ours(value: Value) -> Theirs {
    if let Some(members) = value.members() {
        Theirs::Object(members.map(|(name, value)| (name.into(), ours(value))).collect())
    } else if let Some(items) = value.items() {
        Theirs::Array(items.map(ours).collect())
    } else if let Some(text) = value.string() {
        Theirs::String(text.into())
    } else {
        serde_json::from_str(value.0).unwrap()
    }
}

#[test]
fn a_registration_is_read_where_it_stands() {
    let text = r#" {"redirect_uris" : ["http://127.0.0.1/cb", "a\u0041\ud83d\ude00"], "n":null } "#;
    let members: Vec<_> = read(text).unwrap().members().unwrap().collect();
    assert_eq!((&*members[0].0, &*members[1].0, members.len()), ("redirect_uris", "n", 2));
    let items: Vec<_> = members[0].1.items().unwrap().map(|item| item.string().unwrap()).collect();
    assert!(matches!(items[0], Cow::Borrowed("http://127.0.0.1/cb")));
    assert_eq!((&*items[1], members[1].1.is_null()), ("aA\u{1f600}", true));
    assert!(members[1].1.items().is_none() && members[0].1.members().is_none());
}

#[test]
fn what_is_no_json_is_none() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[1",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "[1 2]",
        "'a'",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u+123\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\n\"",
        "\"\u{1}\"",
        "01",
        "-",
        "1.",
        ".1",
        "1e",
        "+1",
        "0x1",
        "NaN",
        "tru",
        "truefalse",
        "1 1",
        "\u{feff}1",
        "/**/1",
        "\u{a0}1",
        "{}{}",
    ] {
        assert_eq!(read(text), None, "{text:?}");
        assert!(serde_json::from_str::<Theirs>(text).is_err(), "{text:?}");
    }
    assert_eq!(Value::read(b"\"\xff\""), None);
}

#[test]
fn depth_has_a_limit() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert!(read(&nested(DEPTH)).is_some());
        assert!(read(&nested(DEPTH + 1)).is_none());
        assert!(read(&open.repeat(60_000)).is_none());
    }
}

fn json() -> impl Strategy<Value = Theirs> {
    let leaf = prop_oneof![
        Just(Theirs::Null),
        any::<bool>().prop_map(Theirs::from),
        any::<i64>().prop_map(Theirs::from),
        (-1e300..1e300).prop_map(Theirs::from),
        any::<String>().prop_map(Theirs::from),
        "[\"\\\\/\u{8}\u{c}\n\r\t\u{7f}é\u{1f600}]{0,8}".prop_map(Theirs::from),
    ];
    leaf.prop_recursive(8, 64, 6, |inner| {
        let name = any::<String>();
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Theirs::from),
            proptest::collection::vec((name, inner), 0..6)
                .prop_map(|members| Theirs::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn reads_what_serde_json_writes(value in json(), is_pretty: bool) {
        let text = match is_pretty {
            true => serde_json::to_string_pretty(&value).unwrap(),
            false => serde_json::to_string(&value).unwrap(),
        };
        let read = ours(read(&text).unwrap());
        prop_assert_eq!(&read, &serde_json::from_str::<Theirs>(&text).unwrap());
    }

    /// Both readers agree whether a text that is almost JSON is JSON.
    #[test]
    fn takes_what_serde_json_takes(
        value in json(), at: prop::sample::Index, put in "[\\[\\]{}:,\"\\\\ue01.\\-+ ]{0,3}", cut in 0..4usize
    ) {
        let mut text: Vec<char> = serde_json::to_string(&value).unwrap().chars().collect();
        let at = at.index(text.len() + 1);
        let end = (at + cut).min(text.len());
        text.splice(at..end, put.chars());
        let text: String = text.into_iter().collect();
        match serde_json::from_str::<Theirs>(&text) {
            Ok(theirs) => prop_assert_eq!(read(&text).map(ours), Some(theirs)),
            // For us a number that no float can hold is well-formed.
            Err(error) if error.to_string().contains("out of range") => {}
            Err(_) => prop_assert_eq!(read(&text), None),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = Value::read(&bytes).map(|value| value.members().map(Iterator::count));
    }
}
