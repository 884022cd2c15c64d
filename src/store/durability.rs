//! Tests of what outlives the process: a store is filled, dropped and opened again.

use std::collections::BTreeSet;
use std::path::Path;

use super::memory::Memory;
use super::rows::{Change, OnlyIf, Row};
use super::state_file::SyncPolicy;
use super::{Counts, Store, frame, record};
use crate::oauth::grants::samples::{NOW, World};
use crate::oauth::{ErrorCode, FamilyToken};

/// A world whose store is in this folder.
fn world(folder: &Path) -> World {
    World::of(Store::open(&folder.join("state"), SyncPolicy::Ends).unwrap())
}

/// Everything that is stored, as bytes.
fn content(memory: &Memory) -> BTreeSet<Vec<u8>> {
    let encoded = |change: &Change| {
        let mut bytes = Vec::new();
        record::encode(change, &mut bytes);
        bytes
    };
    let mut all: BTreeSet<_> = memory.lock().names.all().iter().map(encoded).collect();
    let mut add = |(key, row)| {
        all.insert(encoded(&match row {
            Row::AccessToken(row) => Change::PutAccessToken(key, row),
            Row::Family(row) => Change::PutFamily(key, row),
            Row::Code(row) => Change::PutCode(key, row),
            Row::Device(row) => Change::PutDevice(key, row),
        }));
    };
    let see = &mut |rows: Vec<_>| {
        rows.into_iter().for_each(&mut add);
        Ok(())
    };
    memory.each(see).unwrap();
    all
}

fn refresh(world: &World, token: &FamilyToken) -> Result<FamilyToken, ErrorCode> {
    let form = format!("grant_type=refresh_token&refresh_token={}", &*token.reveal());
    match world.grant("a", &form, NOW) {
        Ok(response) => Ok(response.refresh_token.unwrap()),
        Err(error) => Err(error.code),
    }
}

/// What the operator is told at its upkeep.
fn told_by(store: &Store) -> Vec<String> {
    store.upkeep().into_iter().map(|notice| notice.what).collect()
}

#[test]
fn everything_survives_and_nothing_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let before = world(folder.path());
    let kept = before.issue(NOW);
    let rotated = before.issue(NOW).refresh_token.unwrap();
    let newest = refresh(&before, &rotated).unwrap();
    let revoked = before.issue(NOW);
    let family = revoked.refresh_token.unwrap().family.key();
    before.store.apply(OnlyIf::Always, [Change::TakeFamily(family)]).unwrap();
    let (code, spent) = (before.code(None), before.code(None));
    let redeem = |world: &World, code: &str| {
        let uri = "redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb";
        let form = format!("grant_type=authorization_code&code={code}&{uri}");
        world.grant("a", &form, NOW).is_ok()
    };
    assert!(redeem(&before, &spent));
    let (_, user_code) = before.device("a");
    let all = content(before.store.place.memory());
    drop(before);

    let after = world(folder.path());
    assert_eq!(content(after.store.place.memory()), all);
    assert!(after.is_live(&kept.access_token, NOW));
    assert!(!after.is_live(&revoked.access_token, NOW));
    assert!(redeem(&after, &code) && !redeem(&after, &code) && !redeem(&after, &spent));
    assert!(after.store.device_showing(&user_code, NOW).unwrap().is_some());
    assert!(refresh(&after, &kept.refresh_token.unwrap()).is_ok());
    // A token that was used before the restart is recognized after it.
    assert_eq!(refresh(&after, &rotated).err(), Some(ErrorCode::InvalidGrant));
    assert_eq!(refresh(&after, &newest).err(), Some(ErrorCode::InvalidGrant));
}

#[test]
fn who_was_removed_stays_gone_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = world(folder.path());
    let token = before.issue(NOW).access_token;
    before.reload(&["a", "b"], &[]);
    drop(before);
    let after = world(folder.path());
    assert!(after.registry.user("user").is_some());
    assert!(!after.is_live(&token, NOW));
}

#[test]
fn the_oldest_still_makes_room_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let before = world(folder.path());
    let tokens: Vec<_> =
        (0..3).map(|second| before.issue(NOW.plus_seconds(second)).access_token).collect();
    before.store.place.memory().rewrite_now();
    drop(before);
    let mut after = world(folder.path());
    after.registry.max_tokens_per_client = 3;
    after.store.enrol(&mut after.registry);
    after.issue(NOW.plus_seconds(3));
    let live: Vec<_> = tokens.iter().map(|token| after.is_live(token, NOW)).collect();
    assert_eq!(live, [false, true, true]);
    let counts = after.store.counts();
    drop(after);
    assert_eq!(world(folder.path()).store.counts(), counts);
}

#[test]
fn a_file_that_is_written_anew_under_load_has_everything() {
    let folder = tempfile::tempdir().unwrap();
    let before = world(folder.path());
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut tokens = vec![before.issue(NOW).refresh_token.unwrap()];
                    for step in 0..100 {
                        let next = refresh(&before, tokens.last().unwrap()).unwrap();
                        tokens.push(next);
                        if step % 7 == 0 {
                            let _ = refresh(&before, &tokens[0]);
                            tokens = vec![before.issue(NOW).refresh_token.unwrap()];
                        }
                        before.code(None);
                        before.device("b");
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                before.store.place.memory().rewrite_now();
            }
        });
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let all = content(before.store.place.memory());
    assert!(all.len() > 300);
    drop(before);
    assert_eq!(content(world(folder.path()).store.place.memory()), all);
}

/// A file of some steps, with a mark in the middle, and the position of the mark.
fn small_file(folder: &Path) -> (Vec<u8>, usize) {
    let before = world(folder);
    let first = before.issue(NOW).refresh_token.unwrap();
    refresh(&before, &first).unwrap();
    before.store.upkeep();
    let confirmed = std::fs::metadata(folder.join("state")).unwrap().len() as usize;
    before.code(None);
    refresh(&before, &before.issue(NOW).refresh_token.unwrap()).unwrap();
    drop(before);
    let bytes = std::fs::read(folder.join("state")).unwrap();
    assert_eq!(frame::largest_mark(&bytes), Some(confirmed as u64));
    (bytes, confirmed)
}

#[test]
fn every_cut_leaves_whole_steps() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, _) = small_file(folder.path());
    let path = folder.path().join("state");
    let mut borders = BTreeSet::from([0, frame::HEADER.len()]);
    let mut at = frame::HEADER.len();
    while let frame::Frame::Step(_, size) | frame::Frame::Mark(_, size) = frame::read(&bytes[at..])
    {
        at += size;
        borders.insert(at);
    }
    assert!(borders.len() > 8 && borders.contains(&bytes.len()), "{borders:?}");
    for end in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..end]).unwrap();
        let store = Store::open(&path, SyncPolicy::Ends).unwrap();
        let counts = store.counts();
        // A rotation is never half: there is no family without its access token.
        assert_eq!(counts.access_tokens, counts.refresh_tokens, "{end}");
        let whole = borders.range(..=end).next_back().filter(|&&at| at >= 16).unwrap_or(&0);
        let expected = match end - whole {
            0 => vec![],
            bytes => vec![format!(
                "{}: the last {bytes} bytes are an unfinished step; dropped",
                path.display()
            )],
        };
        assert_eq!(told_by(&store), expected);
        // The server can go on with what is left.
        drop(store);
        assert!(Store::open(&path, SyncPolicy::Ends).unwrap().upkeep().is_empty());
    }
}

#[test]
fn every_flipped_byte_is_damage_below_the_mark_and_dropped_above() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, confirmed) = small_file(folder.path());
    let path = folder.path().join("state");
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        std::fs::write(&path, &flipped).unwrap();
        match Store::open(&path, SyncPolicy::Ends) {
            Ok(_) => assert!(at >= confirmed, "{at}"),
            Err(line) if at < frame::HEADER.len() => {
                let known = ["this is no state file of oauth2d", "written by a newer oauth2d"];
                assert!(known.iter().any(|words| line.contains(words)), "{at}: {line}");
            }
            Err(line) => {
                assert!(at < confirmed, "{at}: {line}");
                let place: usize = line
                    .strip_prefix(&format!("{}: damaged at byte ", path.display()))
                    .and_then(|rest| rest.split_once("; the disk had confirmed "))
                    .and_then(|(place, _)| place.parse().ok())
                    .unwrap_or_else(|| panic!("{line}"));
                assert!(place <= at, "{line}");
                let rest = format!(
                    "; the disk had confirmed {confirmed}; restore a copy, or move it away: \
                     everyone then signs in again"
                );
                assert!(line.ends_with(&rest), "{line}");
            }
        }
        // A file that was refused is left as it was.
        if at < confirmed {
            assert_eq!(std::fs::read(&path).unwrap(), flipped);
        }
    }
}

#[test]
fn a_second_store_is_refused_and_a_new_file_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let first = Store::open(&path, SyncPolicy::Ends).unwrap();
    assert_eq!(first.counts(), Counts::default());
    let line = Store::open(&path, SyncPolicy::Ends).err().unwrap();
    assert_eq!(line, format!("{}: another oauth2d uses this state file", path.display()));
    drop(first);
    assert!(Store::open(&path, SyncPolicy::Always).is_ok());
    let missing = folder.path().join("none").join("state");
    let line = Store::open(&missing, SyncPolicy::Ends).err().unwrap();
    assert!(line.starts_with(&format!("{}: cannot be opened: ", missing.display())), "{line}");
}

/// The format is a promise: this file was written by the first version that had one.
#[test]
fn the_file_of_the_first_version_is_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    std::fs::write(&path, include_bytes!("../../tests/state/first")).unwrap();
    let after = world(folder.path());
    let counts = Counts { access_tokens: 3, refresh_tokens: 2, codes: 1, devices: 1 };
    assert_eq!(after.store.counts(), counts);
    assert_eq!(after.registry.client("a").unwrap().number.0, 1);
}

#[test]
fn only_a_regular_file_can_be_the_state_file() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("state");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    for path in [&link, folder.path()] {
        let line = Store::open(path, SyncPolicy::Ends).err().unwrap();
        assert!(line.starts_with(&format!("{}: cannot be opened: ", path.display())), "{line}");
    }
}

#[test]
fn what_a_killed_process_left_beside_the_file_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("state.new");
    std::fs::write(&left, "half").unwrap();
    let store = world(folder.path()).store;
    assert!(!left.exists());
    // One that is there already, readable by everyone, does not become the file.
    std::fs::write(&left, "half").unwrap();
    store.place.memory().rewrite_now();
    let mode = |name: &str| {
        let data = std::fs::metadata(folder.path().join(name)).unwrap();
        std::os::unix::fs::PermissionsExt::mode(&data.permissions()) & 0o777
    };
    assert_eq!((mode("state"), mode("state.lock")), (0o600, 0o600));
}

#[test]
fn a_panic_within_a_step_leaves_the_file_whole() {
    let folder = tempfile::tempdir().unwrap();
    let before = world(folder.path());
    let first = before.issue(NOW);
    let family = first.refresh_token.unwrap().family.key();
    let changes = [Some(Change::TakeCode(family)), None].into_iter();
    let step = || before.store.apply(OnlyIf::Always, changes.map(|change| change.unwrap()));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)).is_err());
    let second = before.issue(NOW);
    drop(before);
    let after = world(folder.path());
    assert!(after.store.upkeep().is_empty());
    assert!(after.is_live(&first.access_token, NOW) && after.is_live(&second.access_token, NOW));
}

#[test]
fn a_stop_while_the_file_is_written_anew_leaves_one_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        let before = world(folder.path());
        let last = (0..300).map(|_| before.issue(NOW)).last().unwrap().access_token;
        std::thread::scope(|scope| {
            let rewriting = scope.spawn(|| {
                for _ in 0..3 {
                    before.store.place.memory().rewrite_in_turn();
                }
            });
            assert_eq!(before.store.finish(), Ok(()));
            rewriting.join().unwrap();
        });
        drop(before);
        let after = world(folder.path());
        assert!(after.is_live(&last, NOW) && after.store.upkeep().is_empty());
    }
}

#[test]
fn codes_of_a_file_make_no_room_for_each_other_in_another_order() {
    let folder = tempfile::tempdir().unwrap();
    let before = world(folder.path());
    let codes: Vec<_> = (0..10_001).map(|_| before.code(None)).collect();
    before.store.place.memory().rewrite_now();
    let last = before.code(None);
    drop(before);
    let after = world(folder.path());
    assert_eq!(after.store.counts().codes, 10_000);
    let is_there = |code: &String| {
        let family = FamilyToken::parse(code).unwrap().family.key();
        after.store.code(&family, NOW).unwrap().is_some()
    };
    assert_eq!(codes.iter().filter(|code| !is_there(code)).count(), 2);
    assert!(is_there(&last));
}

#[test]
fn a_row_of_a_client_that_never_was_is_no_step_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let before = world(folder.path());
    before.issue(NOW);
    let mut row = before.store.access_token(&before.issue(NOW).access_token.key(), NOW).unwrap();
    row.as_mut().unwrap().client = super::Number(u32::MAX);
    drop(before);
    let path = folder.path().join("state");
    let mut bytes = std::fs::read(&path).unwrap();
    let start = frame::begin(&mut bytes);
    record::encode(&Change::PutAccessToken(super::Key::of("x"), row.unwrap()), &mut bytes);
    frame::end(&mut bytes, start);
    std::fs::write(&path, &bytes).unwrap();
    let after = Store::open(&path, SyncPolicy::Ends).unwrap();
    let dropped = bytes.len() - start;
    let told =
        format!("{}: the last {dropped} bytes are an unfinished step; dropped", path.display());
    assert_eq!((after.counts().access_tokens, told_by(&after)), (2, vec![told]));
}

#[test]
fn a_file_that_is_removed_or_replaced_while_in_use_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (state, moved) = (folder.path().join("in/state"), folder.path().join("moved"));
    std::fs::create_dir(state.parent().unwrap()).unwrap();
    let before = World::of(Store::open(&state, SyncPolicy::Ends).unwrap());
    before.store.upkeep();
    let told = |what: &str| vec![format!("{}: {what}", state.display())];
    let gone = "the file is no longer at this path; nothing is given or ended until it can be \
                written";
    // Its folder is gone: nothing is issued that would be lost.
    std::fs::rename(state.parent().unwrap(), &moved).unwrap();
    assert_eq!(told_by(&before.store), told(gone));
    assert!(before.grant("b", "grant_type=client_credentials", NOW).is_err());
    assert!(before.store.upkeep().is_empty());
    std::fs::create_dir(state.parent().unwrap()).unwrap();
    assert_eq!(told_by(&before.store), told("can be written again"));
    before.issue(NOW);
    // Another file has its name.
    std::fs::remove_file(&state).unwrap();
    std::fs::write(&state, "other").unwrap();
    assert_eq!(before.store.upkeep().len(), 2);
    let all = content(before.store.place.memory());
    drop(before);
    let after = World::of(Store::open(&state, SyncPolicy::Ends).unwrap());
    assert_eq!(content(after.store.place.memory()), all);
}
