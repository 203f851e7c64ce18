//! The machine: what it is, and whether it has anything else to do.

use std::fs;
use std::process::Command;
use std::time::Duration;

/// The share of the machine from which on others disturb the measurement.
const BUSY: f64 = 0.15;

/// What is to be said, before a round, if others keep the machine busy: two threads suffer more than one, and the
/// ratios too.
pub async fn others(round: &str) -> Option<String> {
    let read = || fs::read_to_string("/proc/stat").unwrap_or_default();
    let before = read();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let share = busy_share(&before, &read()).filter(|share| *share > BUSY)?;
    let percent = (share * 100.0).round();
    Some(format!("{round}: others used {percent} % of the machine before it, and its times say little."))
}

/// The share of the time between two readings of `/proc/stat` (proc_stat(5)) in which the processors were not idle.
pub fn busy_share(before: &str, after: &str) -> Option<f64> {
    let (before, after) = (times(before)?, times(after)?);
    let [idle, all] = [after[0].checked_sub(before[0])?, after[1].checked_sub(before[1])?];
    (all > 0).then(|| 1.0 - idle as f64 / all as f64)
}

/// Idle or waiting for a disk; and everything.
fn times(stat: &str) -> Option<[u64; 2]> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // What virtual machines get is part of the first two.
    let times: Vec<u64> = line.split_whitespace().take(8).map_while(|time| time.parse().ok()).collect();
    Some([times.get(3)? + times.get(4)?, times.iter().sum()])
}

/// Processor, cores, browser, day.
pub fn describe() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let processor = model.map_or("unknown processor", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).lines().next().unwrap_or_default().trim().to_string()
    };
    format!("{processor}, {cores} cores, {}, {}", said("chromium", "--version"), said("date", "+%Y-%m-%d"))
}
