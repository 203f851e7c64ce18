//! `.github/workflows/pages.yml`, which builds the site on GitHub: `cargo xtask test` runs here what it runs there.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::run::{command, root, run};

const WORKFLOW: &str = ".github/workflows/pages.yml";

/// Runs the workflow's commands.
pub fn run_commands() -> Result<()> {
    let commands = values(&read()?, "run");
    ensure!(!commands.is_empty(), "{WORKFLOW} runs nothing");
    commands.iter().try_for_each(|line| run(command("sh", &["-ec", line])))
}

fn read() -> Result<String> {
    fs::read_to_string(root().join(WORKFLOW)).with_context(|| format!("{WORKFLOW} cannot be read"))
}

/// What stands behind a key, wherever it does; each on one line, as this workflow is written.
fn values(yaml: &str, key: &str) -> Vec<String> {
    let lines = yaml.lines().map(|line| line.trim_start().trim_start_matches("- "));
    let values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    values.map(|value| value.trim().to_string()).filter(|value| !value.is_empty() && value != "|").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_wherever_its_key_stands() {
        let yaml = "on:\n  push:\njobs:\n  build:\n    steps:\n      - run: one two\n      - name: x\n        run: three\n      \
            # run: four\n      - runs-on: five\n      - with:\n          path: |\n            here\n";
        assert_eq!(values(yaml, "run"), ["one two", "three"]);
        assert_eq!(values(yaml, "path"), [""; 0]);
    }

    #[test]
    fn it_builds_with_the_readmes_command_and_uploads_what_that_writes() {
        let yaml = read().unwrap();
        assert_eq!(values(&yaml, "run"), ["cargo xtask dist"]);
        assert!(crate::HELP.contains("\n  dist "), "`cargo xtask` knows dist");
        let readme = fs::read_to_string(root().join("README.md")).unwrap();
        let (_, host_it) = readme.split_once("## Host it").unwrap();
        assert!(host_it.split("\n## ").next().unwrap().contains("\ncargo xtask dist "), "the README builds otherwise");
        let (_, upload) = yaml.split_once("actions/upload-pages-artifact@").unwrap();
        assert_eq!(values(upload, "path")[0], crate::site::DIST);
    }

    #[test]
    fn its_actions_are_githubs_own_in_a_major_version() {
        let used = values(&read().unwrap(), "uses");
        let names: Vec<&str> = used.iter().map(|action| action.split('@').next().unwrap()).collect();
        let expected = ["checkout", "configure-pages", "cache", "upload-pages-artifact", "deploy-pages"];
        assert_eq!(names, expected.map(|name| format!("actions/{name}")));
        for action in &used {
            let version = action.split("@v").nth(1).unwrap_or_default();
            assert!(version.parse::<u32>().is_ok(), "{action} has no major version");
        }
    }

    #[test]
    fn it_may_write_pages_and_nothing_else() {
        let yaml = read().unwrap();
        let (_, permissions) = yaml.split_once("\npermissions:\n").unwrap();
        let permissions: Vec<&str> =
            permissions.lines().take_while(|line| line.starts_with("  ")).map(str::trim).collect();
        assert_eq!(permissions, ["contents: read", "pages: write", "id-token: write"]);
        assert_eq!(yaml.matches("permissions:").count(), 1);
    }
}
