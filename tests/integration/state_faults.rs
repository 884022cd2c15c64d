//! Contract section 6: a state file that cannot be written. A full disk is a small file system for
//! the test, and strace makes calls fail. If the machine allows neither, the test says so.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::state::*;
use crate::support::*;

/// A file system of 256 KiB at `disk` in the server's folder.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Folder) -> Option<Disk> {
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(&path)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Disk(path)),
            refused => {
                println!("skipped: mount is refused: {refused:?}");
                None
            }
        }
    }

    fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        for size in [4096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A folder with a configuration whose state file is on its own disk.
fn on_a_small_disk() -> Option<(Folder, Disk)> {
    let folder = Folder::new();
    let disk = Disk::mount(&folder)?;
    folder.write("oauth2d.conf", format!("[server]\nstate_file = disk/state\n{CLIENTS}"));
    Some((folder, disk))
}

/// Issues tokens until none can be issued any more.
fn break_down(server: &Server) {
    let gives = |server: &Server| server.token(APP, "grant_type=client_credentials").status == 200;
    for _ in 0..200 {
        if !gives(server) {
            return;
        }
    }
    panic!("tokens are still given");
}

fn heal(server: &Server) {
    eventually(|| server.get("/readyz", &[]).status == 200, "it does not heal");
}

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.error(), (503, "temporarily_unavailable".into()));
    assert_eq!(answer.field("Retry-After"), Some("5"));
    assert_eq!(answer.field("Cache-Control"), Some("no-store"));
}

#[track_caller]
fn assert_page_again(answer: &Answer, kept: &str) {
    assert_eq!((answer.status, answer.field("Retry-After")), (503, Some("5")), "{answer:?}");
    assert_eq!(answer.field("Location"), None);
    assert!(answer.body.contains("<form") && answer.body.contains(kept), "{}", answer.body);
    assert!(!answer.body.contains("value=\"password\""), "{}", answer.body);
}

fn told(server: &Server, end: &str) -> usize {
    server.log().lines().filter(|line| line.ends_with(end)).count()
}

#[track_caller]
fn assert_both_told_once(server: &Server) {
    server.log_line(|line| line.ends_with(AGAIN));
    assert_eq!((told(server, UNTIL), told(server, AGAIN)), (1, 1), "{}", server.log());
}

const AGAIN: &str = "state: can be written again";
const UNTIL: &str = "; nothing is given or ended until it can be written";

#[test]
fn a_full_disk_refuses_before_anything_changes_and_heals() {
    let Some((folder, disk)) = on_a_small_disk() else { return };
    let server = started_in(folder);
    let issued = server.token(APP, ANN);
    let (access, token) = (issued.member("access_token"), issued.member("refresh_token"));
    let (unspent, pending) = (code(&server), device(&server));
    let allowed = device(&server);
    decide(&server, &allowed.1, "allow");
    disk.fill();
    break_down(&server);

    for _ in 0..2 {
        assert_unavailable(&server.token(APP, ANN));
        assert_unavailable(&server.token(APP, "grant_type=client_credentials"));
        assert_unavailable(&refresh(&server, &token));
        assert_unavailable(&redeem(&server, &unspent));
        assert_unavailable(&revoke(&server, &access));
        assert_unavailable(&revoke(&server, &token));
        assert_unavailable(&server.post("/oauth/device_authorization", &[APP], ""));
        assert_unavailable(&poll(&server, &allowed.0));
        assert_page_again(&authorize(&server, "allow"), "value=\"ann\"");
        assert_page_again(&decide(&server, &pending.1, "allow"), "value=\"ann\"");
        assert_page_again(&decide(&server, &pending.1, "deny"), &pending.1);
    }
    assert_eq!(server.get("/readyz", &[]).status, 503);
    assert_eq!(server.get("/healthz", &[]).status, 200);
    // What changes nothing is answered as usual.
    assert!(server.is_live(&access));
    let wrong = server.token("Authorization: Basic YXBwOndyb25n", ANN);
    assert_eq!(wrong.error(), (401, "invalid_client".into()));
    let wrong = server.token(APP, &ANN.replace("&password=password", "&password=wrong"));
    assert_eq!(wrong.error(), (400, "invalid_grant".into()));
    assert_eq!(revoke(&server, &"0".repeat(40)).status, 200);
    assert_eq!(poll(&server, &pending.0).error(), (400, "authorization_pending".into()));
    let back = authorize(&server, "deny");
    assert_eq!(back.location_parameter("error").as_deref(), Some("access_denied"));

    disk.free();
    heal(&server);
    let next = refresh(&server, &token);
    assert_eq!(next.status, 200, "{next:?}");
    assert_eq!((redeem(&server, &unspent).status, poll(&server, &allowed.0).status), (200, 200));
    assert_both_told_once(&server);
    let server = again(server, "KILL");
    assert!(server.is_live(&next.member("access_token")) && !server.is_live(&access));
}

#[test]
fn a_start_on_a_full_disk_starts_and_heals() {
    let Some((folder, disk)) = on_a_small_disk() else { return };
    disk.fill();
    let server = started_in(folder);
    server.log_line(|line| line.ends_with(UNTIL));
    assert_unavailable(&server.token(APP, ANN));
    disk.free();
    heal(&server);
    let token = server.token(APP, ANN).member("access_token");
    assert!(again(server, "KILL").is_live(&token));
}

/// strace, which makes the server's calls fail as long as this lives.
struct Injected {
    strace: Child,
    trace: PathBuf,
}

impl Injected {
    fn into(server: &Server, faults: &[&str]) -> Option<Injected> {
        let trace = server.folder.path().join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-e", "trace=fdatasync,fsync,pwrite64,rename", "-o"]).arg(&trace);
        faults.iter().for_each(|fault| _ = command.args(["-e", &format!("inject={fault}")]));
        command.args(["-p", &server.pid().to_string()]);
        let Ok(strace) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            println!("skipped: strace is not installed");
            return None;
        };
        let mut injected = Injected { strace, trace };
        eventually(|| injected.is_refused() || is_traced(server), "strace does not attach");
        match injected.is_refused() {
            true => println!("skipped: strace may not attach"),
            false => return Some(injected),
        }
        None
    }

    fn is_refused(&mut self) -> bool {
        self.strace.try_wait().unwrap().is_some()
    }

    /// The calls so far.
    fn calls(&self) -> Vec<String> {
        std::fs::read_to_string(&self.trace).unwrap().lines().map(String::from).collect()
    }
}

/// Whether every thread is being traced.
fn is_traced(server: &Server) -> bool {
    let tasks = format!("/proc/{}/task", server.pid());
    std::fs::read_dir(tasks).unwrap().all(|task| {
        let status = std::fs::read_to_string(task.unwrap().path().join("status"));
        status.is_ok_and(|text| !text.contains("TracerPid:\t0\n"))
    })
}

impl Drop for Injected {
    fn drop(&mut self) {
        // It has to detach from the server, which a kill would leave stopped.
        let pid = self.strace.id().to_string();
        let _ = Command::new("kill").args(["-s", "INT", &pid]).status();
        let _ = self.strace.wait();
    }
}

#[test]
fn a_write_that_fails_is_refused_told_once_and_made_good() {
    let server = with_state("");
    let token = server.token(APP, ANN).member("refresh_token");
    let Some(injected) = Injected::into(&server, &["pwrite64:error=EIO"]) else { return };
    assert_unavailable(&server.token(APP, ANN));
    assert_unavailable(&refresh(&server, &token));
    assert_eq!(server.get("/readyz", &[]).status, 503);
    drop(injected);
    heal(&server);
    assert_eq!(refresh(&server, &token).status, 200);
    assert_both_told_once(&server);
    server.log_line(|line| line.contains("state: Input/output error (os error 5); nothing is"));
}

#[test]
fn after_a_failed_sync_a_new_file_takes_the_place() {
    let server = with_state("");
    let [kept, rotated] = [(); 2].map(|()| server.token(APP, ANN));
    let file = server.folder.path().join("state");
    let before = inode(&file);
    // Either the sweep's sync is the first one here, or the rotation's.
    let faults = ["fdatasync:error=EIO:when=1"];
    let Some(injected) = Injected::into(&server, &faults) else { return };
    let first = refresh(&server, &rotated.member("refresh_token"));
    server.log_line(|line| line.ends_with(UNTIL));
    heal(&server);
    assert_ne!(inode(&file), before);
    let calls = injected.calls();
    drop(injected);
    assert_never_synced_again(&calls);
    assert_both_told_once(&server);
    // If it was refused it may have taken effect; if it was answered it has.
    let server = again(server, "KILL");
    assert!(server.is_live(&kept.member("access_token")));
    if first.status == 200 {
        assert!(server.is_live(&first.member("access_token")));
        assert!(!server.is_live(&rotated.member("access_token")));
    } else {
        assert_unavailable(&first);
    }
}

#[test]
fn a_new_file_that_cannot_get_the_name_is_tried_again() {
    let server = with_state("");
    let token = server.token(APP, ANN).member("refresh_token");
    let faults = ["fdatasync:error=EIO:when=1", "rename:error=EIO"];
    let Some(injected) = Injected::into(&server, &faults) else { return };
    let _ = server.token(APP, ANN);
    server.log_line(|line| line.ends_with(UNTIL));
    let renames = |calls: Vec<String>| calls.iter().filter(|call| call.contains("rename(")).count();
    eventually(|| renames(injected.calls()) >= 2, "it is not tried again");
    assert_unavailable(&refresh(&server, &token));
    assert_never_synced_again(&injected.calls());
    drop(injected);
    heal(&server);
    assert_eq!(refresh(&server, &token).status, 200);
    assert_both_told_once(&server);
    assert!(!server.folder.path().join("state.new").exists());
}

/// By its descriptor, which is the file's as long as that is open.
#[track_caller]
fn assert_never_synced_again(calls: &[String]) {
    let syncs: Vec<&String> = calls.iter().filter(|call| call.contains("fdatasync(")).collect();
    let number =
        |call: &str| call.split("fdatasync(").nth(1).unwrap().split('<').next().map(String::from);
    let failed = syncs.iter().position(|call| call.contains("(INJECTED)")).expect("one failed");
    let old = number(syncs[failed]);
    let swapped = calls.iter().position(|call| call.contains("rename(") && call.ends_with("= 0"));
    let end = swapped.unwrap_or(calls.len());
    let until_swapped = calls[..end].iter().filter(|call| call.contains("fdatasync("));
    assert!(until_swapped.skip(failed + 1).all(|call| number(call) != old), "{calls:#?}");
}

fn inode(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap())
}

/// What the clients of a test share.
#[derive(Default)]
struct Progress {
    is_over: AtomicBool,
    answers: AtomicUsize,
}

/// What one client knows for certain. Whether a refused request took effect, nobody knows.
#[derive(Default)]
struct Known {
    live: Vec<String>,
    dead: Vec<String>,
    refused: usize,
}

fn issue_and_end(server: &Server, progress: &Progress) -> Known {
    let mut known = Known::default();
    while !progress.is_over.load(Ordering::Relaxed) {
        let first = server.token(APP, ANN);
        let second = match first.status {
            200 => refresh(server, &first.member("refresh_token")),
            _ => first.clone(),
        };
        if second.status != 200 {
            assert_unavailable(&second);
            known.refused += 1;
            continue;
        }
        progress.answers.fetch_add(1, Ordering::Relaxed);
        known.dead.push(first.member("access_token"));
        if known.dead.len() % 4 == 1 {
            known.live.push(second.member("access_token"));
            continue;
        }
        match revoke(server, &second.member("refresh_token")).status {
            200 => known.dead.push(second.member("access_token")),
            _ => known.refused += 1,
        }
    }
    known
}

#[test]
fn whatever_fails_under_load_every_answer_holds() {
    let server = with_state("");
    let progress = Progress::default();
    let all: Vec<Known> = std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..6).map(|_| scope.spawn(|| issue_and_end(&server, &progress))).collect();
        for faults in [
            &["fdatasync:error=EIO"][..],
            &["pwrite64:error=ENOSPC"],
            &["fdatasync:error=EIO", "rename:error=EIO"],
            &["fdatasync:error=EIO:when=1", "fsync:error=EIO"],
            &["fdatasync:error=EIO", "pwrite64:error=EIO"],
        ] {
            let Some(injected) = Injected::into(&server, faults) else { break };
            eventually(|| server.get("/readyz", &[]).status == 503, "nothing fails");
            drop(injected);
            heal(&server);
            let before = progress.answers.load(Ordering::Relaxed);
            let go_on = || progress.answers.load(Ordering::Relaxed) > before + 50;
            eventually(go_on, "nothing is answered");
        }
        progress.is_over.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let count = |list: fn(&Known) -> usize| all.iter().map(list).sum::<usize>();
    println!(
        "{} answers hold, {} refused",
        count(|known| known.dead.len()),
        count(|known| known.refused)
    );
    for server in [&server, &again_beside(&server)] {
        for known in &all {
            assert!(known.live.iter().all(|token| server.is_live(token)));
            assert!(!known.dead.iter().any(|token| server.is_live(token)));
        }
    }
}

/// Another process, with a copy of this one's file as it is now.
fn again_beside(server: &Server) -> Server {
    let folder = Folder::new();
    for name in ["oauth2d.conf", "state"] {
        std::fs::copy(server.folder.path().join(name), folder.path().join(name)).unwrap();
    }
    started_in(folder)
}
