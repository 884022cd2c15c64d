//! The processes being measured.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The release program; `OAUTH2D` names another one, such as the static executable.
pub fn program() -> String {
    std::env::var("OAUTH2D").unwrap_or_else(|_| env!("CARGO_BIN_EXE_oauth2d").into())
}

pub struct Running {
    child: Child,
    pub address: SocketAddr,
    /// Kept as long as it runs.
    _folder: Option<TempDir>,
}

impl Running {
    pub fn program(config: &str) -> Running {
        Running::program_in(&std::env::temp_dir(), config)
    }

    /// With its configuration in this folder.
    pub fn program_in(folder: &Path, config: &str) -> Running {
        let file = folder.join(format!("oauth2d-bench-{}.conf", std::process::id()));
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program());
        command.args(["--listen", "127.0.0.1:0", "--config"]).arg(&file);
        // Logs go to a file, as they do where it matters.
        let log = std::fs::File::create(file.with_extension("log")).unwrap();
        Running::start(command.stderr(log))
    }

    pub fn floor(size: usize, batch: usize) -> Running {
        Running::own("--floor", size, batch)
    }

    pub fn stepping_floor(size: usize) -> Running {
        Running::own("--stepping-floor", size, 1)
    }

    /// A server that is part of this very program.
    fn own(word: &str, size: usize, batch: usize) -> Running {
        let mut command = Command::new(std::env::current_exe().unwrap());
        Running::start(command.args([word, &size.to_string(), &batch.to_string()]))
    }

    /// Another program, on a port that it was told; `None` if it cannot be started.
    pub fn on_port(command: &mut Command, port: u16, folder: TempDir) -> Option<Running> {
        let child = command.stdin(Stdio::null()).spawn().ok()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Running { child, address, _folder: Some(folder) })
    }

    /// Waits for the line that says where it listens.
    pub fn start(command: &mut Command) -> Running {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
        Running { child, address, _folder: None }
    }

    /// The resident memory in bytes.
    pub fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }

    /// The processor time that the process has used, its ended threads included.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, rest) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // User and system time, which Linux counts in hundredths of a second.
        let hundredths: u64 =
            fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(10 * hundredths)
    }

    /// The slowest of the answers to a client that asks every millisecond while `work` goes on.
    pub fn slowest_answer_while(&self, work: impl FnOnce()) -> Duration {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let probe = scope.spawn(|| {
                let request = "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\n\r\n";
                let size = crate::client::answer_size(self.address, request);
                let mut stream = TcpStream::connect(self.address).unwrap();
                stream.set_nodelay(true).unwrap();
                let mut buffer = vec![0; size];
                let mut slowest = Duration::ZERO;
                while !over.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
                    std::io::Read::read_exact(&mut stream, &mut buffer).unwrap();
                    slowest = slowest.max(began.elapsed());
                    std::thread::sleep(Duration::from_millis(1));
                }
                slowest
            });
            work();
            over.store(true, Ordering::Relaxed);
            probe.join().unwrap()
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A signal first: only then does nginx end its workers.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        for _ in 0..50 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
