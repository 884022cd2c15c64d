//! The processes under measurement.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The release program; `OAUTH2D` names another one, such as the static executable.
pub fn program() -> String {
    std::env::var("OAUTH2D").unwrap_or_else(|_| env!("CARGO_BIN_EXE_oauth2d").into())
}

pub struct Running {
    child: Child,
    pub address: SocketAddr,
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
        let mut command = Command::new(std::env::current_exe().unwrap());
        Running::start(command.args(["--floor", &size.to_string(), &batch.to_string()]))
    }

    fn start(command: &mut Command) -> Running {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
        Running { child, address }
    }

    /// Bytes of memory that are really there.
    pub fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }

    /// What the process has used of the processors, its ended threads included.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, rest) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // User and system time, in the hundredths of a second that Linux tells them in.
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
                let mut stream = std::net::TcpStream::connect(self.address).unwrap();
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
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
