//! Finds the name that was meant by a mistyped one.

/// The one of `names` that differs least from `word`, if it differs so little that it must be a
/// typo: by one letter in three, and by three at most.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word: Vec<char> = word.to_lowercase().chars().take(MOST + 1).collect();
    let near = names.into_iter().filter_map(|name| {
        let letters: Vec<char> = name.chars().collect();
        let limit = (letters.len() / 3).clamp(1, 3);
        let distance = distance(&word, &letters);
        (letters.len() <= MOST && distance <= limit).then_some((distance, name))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// The end of a sentence about a wrong word, which names the nearest right one, if any.
pub fn did_you_mean<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    nearest(word, names).map_or(String::new(), |name| format!("; did you mean {name}?"))
}

/// Longer words are not compared.
const MOST: usize = 64;

/// How many letters have to be inserted, deleted, replaced or swapped with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    // Three rows of the table of distances between prefixes, computed row by row.
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_known_and_another_word_is_not() {
        let names = ["grants", "password", "password_file", "scopes", "log"];
        for (word, meant) in [
            ("granst", Some("grants")),
            ("pasword", Some("password")),
            ("Password", Some("password")),
            ("password-file", Some("password_file")),
            ("scope", Some("scopes")),
            ("lgo", Some("log")),
            ("hunter2", None),
            ("", None),
            ("frog", None),
        ] {
            assert_eq!(nearest(word, names), meant, "{word}");
        }
        assert_eq!(nearest(&"password".repeat(100_000), names), None);
    }
}
