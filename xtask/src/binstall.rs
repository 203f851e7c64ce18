//! cargo-binstall, where it is installed: fetches in seconds a tool that takes minutes to build.

use std::ffi::OsStr;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::run::find_in;

const PROGRAM: &str = "cargo-binstall";
/// How long it may take for a tool; then that is built.
pub const LIMIT: Duration = Duration::from_secs(60);
/// How often is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(50);

/// Has it fetch what a package's own project has built; `arguments` say where to. `false` where nothing was fetched, and the
/// reason is told.
pub fn fetch(path: &OsStr, package: &str, version: &str, arguments: &[&str], limit: Duration) -> bool {
    let Some(program) = find_in(path, PROGRAM) else { return false };
    eprintln!("xtask: {PROGRAM} fetches {package} {version}; this takes {} s at most", limit.as_secs());
    let mut command = Command::new(program);
    command.args(["--no-confirm", &format!("{package}@{version}")]).args(arguments).env("PATH", path);
    // Nothing that others have built, and nothing that takes as long as building it here.
    command.env("BINSTALL_DISABLE_STRATEGIES", "quick-install,compile").env("BINSTALL_DISABLE_TELEMETRY", "true");
    let fetched = run_within(command, limit);
    if let Err(error) = &fetched {
        eprintln!("xtask: {error:#}; {package} is built instead");
    }
    fetched.is_ok()
}

/// Runs a command, and ends it where it takes too long.
fn run_within(mut command: Command, limit: Duration) -> Result<()> {
    let mut child = command.spawn().with_context(|| format!("could not start {PROGRAM}"))?;
    match wait(&mut child, limit)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("{PROGRAM} failed ({status})"),
        None => {
            child.kill().context("it cannot be ended")?;
            child.wait()?;
            bail!("{PROGRAM} took more than {} s", limit.as_secs())
        }
    }
}

/// Nothing where it still runs.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(LOOK);
    }
    Ok(child.try_wait()?)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    /// A folder for PATH with a cargo-binstall that does this.
    fn fake(name: &str, script: &str) -> PathBuf {
        let folder = crate::run::root().join("target/tmp").join(format!("binstall-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join(PROGRAM);
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(program, Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn fetches(folder: &PathBuf, limit: Duration) -> bool {
        let path = std::env::join_paths([folder, &PathBuf::from("/usr/bin"), &PathBuf::from("/bin")]).unwrap();
        fetch(&path, "trunk", "0.21.14", &["--root", "somewhere"], limit)
    }

    #[test]
    fn one_that_works_is_asked_for_this_version_and_for_nothing_that_is_compiled() {
        let folder = fake("works", "echo \"$@ $BINSTALL_DISABLE_STRATEGIES\" > \"$(dirname \"$0\")/asked\"");
        assert!(fetches(&folder, LIMIT));
        let asked = fs::read_to_string(folder.join("asked")).unwrap();
        assert_eq!(asked.trim(), "--no-confirm trunk@0.21.14 --root somewhere quick-install,compile");
    }

    #[test]
    fn where_one_fails_or_there_is_none_the_tool_is_built() {
        assert!(!fetches(&fake("fails", "exit 3"), LIMIT));
        let none = fake("none", "");
        fs::remove_file(none.join(PROGRAM)).unwrap();
        assert!(!fetch(none.as_os_str(), "trunk", "0.21.14", &[], LIMIT));
    }

    #[test]
    fn one_that_hangs_is_ended_at_its_limit() {
        let begun = Instant::now();
        let folder = fake("hangs", "echo $$ > \"$(dirname \"$0\")/number\"; exec sleep 600");
        assert!(!fetches(&folder, Duration::from_secs(1)));
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        let number = fs::read_to_string(folder.join("number")).unwrap();
        assert!(!PathBuf::from("/proc").join(number.trim()).exists(), "it runs on");
    }
}
