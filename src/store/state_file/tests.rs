//! Faults that a healthy disk does not have: a file that cannot be written, one that cannot be
//! synced.

use std::os::fd::OwnedFd;

use super::*;
use crate::store::key::Key;
use crate::store::rows::Change;
use crate::store::tail::Tail;

struct Disks {
    file: StateFile,
    tail: Mutex<Tail>,
    folder: tempfile::TempDir,
}

impl Disks {
    fn new() -> Disks {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::open(&folder.path().join("state"), SyncPolicy::Ends).unwrap();
        file.begin_at(0);
        Disks { file, tail: Mutex::new(Tail::new()), folder }
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap()
    }

    /// Makes a step that ends something, in memory.
    fn step(&self) -> u64 {
        let mut tail = self.tail();
        tail.begin();
        tail.record(&Change::TakeFamily(Key::of("family")));
        tail.end()
    }

    fn keep(&self, position: u64) -> Result<(), Unavailable> {
        self.file.keep(position, true, &|into| self.tail().take(into))
    }

    fn upkeep(&self) {
        self.file.upkeep(&|into| self.tail().take(into), &|place| self.tail().mark(place));
    }

    fn replace(&self) -> io::Result<()> {
        let new = NewFile::create(&self.file.path).unwrap();
        self.tail().begin_copy();
        self.file.replace(new, &|into| self.tail().take_copy(into), &|waiting| {
            self.tail().end_copy(waiting)
        })
    }

    /// Makes a step whose sync fails; the next would work again.
    fn fail_to_sync(&self) {
        // A pipe can be written to, but not synced.
        let pipe = File::from(OwnedFd::from(io::pipe().unwrap().1));
        let good = std::mem::replace(&mut self.file.disk().file, Arc::new(pipe));
        assert_eq!(self.keep(self.step()), Err(BROKEN));
        self.file.disk().file = good;
    }

    fn notices(&self) -> Vec<String> {
        let name = format!("{}: ", self.file.path.display());
        let told = self.file.notices().into_iter();
        told.map(|notice| notice.what.strip_prefix(&name).unwrap().into()).collect()
    }

    /// How many steps the file with the name has.
    fn steps(&self) -> usize {
        let bytes = fs::read(self.folder.path().join("state")).unwrap();
        let (mut at, mut steps) = (frame::HEADER.len(), 0);
        loop {
            match frame::read(&bytes[at..]) {
                frame::Frame::Step(_, size) => (at, steps) = (at + size, steps + 1),
                frame::Frame::Mark(_, size) => at += size,
                frame::Frame::Partial if at == bytes.len() => return steps,
                other => panic!("{other:?} at {at}"),
            }
        }
    }
}

#[test]
fn after_a_failed_sync_the_file_is_never_synced_again() {
    let disks = Disks::new();
    assert_eq!(disks.keep(disks.step()), Ok(()));
    disks.fail_to_sync();
    let synced = disks.file.disk().synced;
    // A thread whose step was made before the failure still writes, and that works.
    assert_eq!(disks.keep(disks.step()), Err(BROKEN));
    disks.upkeep();
    assert_eq!(disks.file.disk().synced, synced);
    assert_eq!(disks.file.check(), Err(BROKEN));
    assert!(disks.file.finish(&|into| disks.tail().take(into)).is_err());
    let lines = disks.notices();
    assert!(lines.len() == 1 && lines[0].ends_with(UNTIL), "{lines:?}");

    assert!(disks.replace().is_ok());
    assert_eq!(disks.file.check(), Ok(()));
    assert_eq!(disks.keep(disks.step()), Ok(()));
    assert_eq!(disks.notices(), ["can be written again"]);
    // This test has none of the rows that a new file begins with; the step after them is there.
    assert_eq!(disks.steps(), 1);
}

const UNTIL: &str = "; nothing is given or ended until it can be written";

#[test]
fn what_could_not_be_written_is_written_once_at_its_place() {
    let disks = Disks::new();
    assert_eq!(disks.keep(disks.step()), Ok(()));
    let unwritable = File::open(disks.folder.path().join("state")).unwrap();
    let good = std::mem::replace(&mut disks.file.out().file, Arc::new(unwritable));
    for _ in 0..3 {
        assert_eq!(disks.keep(disks.step()), Err(BROKEN));
        disks.upkeep();
        assert_eq!(disks.file.check(), Err(BROKEN));
    }
    disks.file.out().file = good;
    disks.upkeep();
    assert_eq!(disks.file.check(), Ok(()));
    let lines = disks.notices();
    assert!(lines.len() == 2 && lines[0].ends_with(UNTIL), "{lines:?}");
    assert_eq!(lines[1], "can be written again");
    assert_eq!(disks.steps(), 4);
}

#[test]
fn all_who_wait_for_one_sync_hear_that_it_failed() {
    let disks = Disks::new();
    disks.file.disk().is_led = true;
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..8).map(|_| scope.spawn(|| disks.keep(disks.step()))).collect();
        // A later step finds the file as it is then.
        let mut disk = disks.file.disk();
        disk.is_led = false;
        disk.is_spoiled = true;
        disks.file.synced.notify_all();
        drop(disk);
        for waiter in waiting {
            assert_eq!(waiter.join().unwrap(), Err(BROKEN));
        }
    });
}

#[test]
fn a_new_file_that_is_not_written_whole_changes_nothing() {
    let disks = Disks::new();
    assert_eq!(disks.keep(disks.step()), Ok(()));
    // A directory cannot be replaced by a file.
    let state = disks.folder.path().join("state");
    let aside = disks.folder.path().join("aside");
    fs::rename(&state, &aside).unwrap();
    fs::create_dir(&state).unwrap();
    assert!(disks.replace().is_err());
    disks.tail().end_copy(0);
    fs::remove_dir(&state).unwrap();
    fs::rename(&aside, &state).unwrap();
    assert_eq!(disks.keep(disks.step()), Ok(()));
    assert_eq!(disks.steps(), 2);
}
