//! What the system says about this process, by the names that Prometheus' client libraries use. It
//! is read from `/proc`, so it exists on Linux alone.

use std::fs;

/// The system counts processor time in hundredths of a second.
const TICKS: f64 = 100.0;

/// Each metric with its kind, its help and its value. `started` is when the process was started, in
/// seconds since 1970.
pub fn metrics(started: u64) -> Vec<(&'static str, &'static str, &'static str, f64)> {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = fs::read_dir("/proc/self/fd").map(Iterator::count).ok();
    let mut metrics = Vec::new();
    let mut add = |name, kind, help, value: Option<f64>| {
        metrics.extend(value.map(|value| (name, kind, help, value)));
    };
    let cpu = processor_ticks(&stat).map(|ticks| ticks / TICKS);
    add("process_cpu_seconds_total", "counter", "User and system processor time.", cpu);
    let resident = bytes(&status, "VmRSS:");
    add("process_resident_memory_bytes", "gauge", "Resident memory.", resident);
    let virtual_memory = bytes(&status, "VmSize:");
    add("process_virtual_memory_bytes", "gauge", "Virtual memory.", virtual_memory);
    // Reading the folder has opened one more.
    let open = files.map(|files| files.saturating_sub(1) as f64);
    add("process_open_fds", "gauge", "Open file descriptors.", open);
    add(
        "process_max_fds",
        "gauge",
        "The most file descriptors that can be open.",
        most_files(&limits),
    );
    let started = Some(started as f64);
    add("process_start_time_seconds", "gauge", "When the process was started.", started);
    metrics
}

/// User and system time (proc_pid_stat(5)). The name of the program, before them, may have blanks
/// in it.
fn processor_ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
}

/// A line such as `VmRSS:     1234 kB`.
fn bytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0)
}

fn most_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_files_are_read() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 99";
        assert_eq!(processor_ticks(stat), Some(200.0));
        assert_eq!(bytes("VmSize:\t 8 kB\nVmRSS:\t     2 kB\n", "VmRSS:"), Some(2048.0));
        let limits = "Limit  Soft Hard Units\nMax open files            1024   4096   files\n";
        assert_eq!(most_files(limits), Some(1024.0));
        for text in ["", "x", "VmRSS:", "a) b"] {
            assert_eq!(
                (processor_ticks(text), bytes(text, "VmRSS:"), most_files(text)),
                (None, None, None)
            );
        }
    }
}
