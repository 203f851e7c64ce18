//! The npm package: its types hold, and pages that Vite, webpack and esbuild make with it write the terminal's text.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::browser::Browser;
use crate::embed::written;
use crate::server::Server;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A command that finds what `cargo xtask` has installed.
fn command(program: &str, arguments: &[&str], folder: &Path) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = root().join("target/tools/bin");
    let paths = std::env::join_paths([own].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("PATH", paths);
    command
}

/// What it prints, once it has succeeded.
fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = command(program, arguments, folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; `cargo xtask test` installs it"));
    let said = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{program} {}: {said}", arguments.join(" "));
    said
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A folder with tests/package/, its tools as its lock file names them, and the package as `npm pack` packs it.
fn users() -> PathBuf {
    let users = root().join("target/tmp/package");
    let lock = |folder: &Path| fs::read(folder.join("package-lock.json")).unwrap_or_default();
    let is_installed =
        lock(&users) == lock(&root().join("tests/package")) && users.join("node_modules/installed").is_file();
    copy(&root().join("tests/package"), &users);
    if !is_installed {
        run("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"], &users);
        fs::write(users.join("node_modules/installed"), "").unwrap();
    }
    run("cargo", &["xtask", "package", "--skip-build"], root());
    let packed = run("npm", &["pack", "--silent", "--ignore-scripts", "--pack-destination", "."], &{
        drop(fs::remove_dir_all(users.join("packed")));
        copy(&root().join("package"), &users.join("packed"));
        users.join("packed")
    });
    let archive = users.join("packed").join(packed.lines().last().unwrap().trim());
    let installed = users.join("node_modules/peargpt");
    drop(fs::remove_dir_all(&installed));
    fs::create_dir_all(&installed).unwrap();
    let archive = archive.to_str().unwrap();
    run("tar", &["-xzf", archive, "--strip-components=1", "-C", installed.to_str().unwrap()], &users);
    users
}

/// A server of Vite's; it ends when this is dropped.
struct Development(Child);

impl Development {
    /// Starts it, and says where it is.
    fn start(users: &Path) -> (Self, String) {
        let mut server = command("node", &["build.mjs", "dev"], users).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
        (Development(server), url.trim().to_string())
    }
}

impl Drop for Development {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What the element shows, once its button was pressed: a text, or why there is none.
const PRESS: &str = "new Promise((resolve) => {
    const element = document.querySelector('pear-gpt');
    element.addEventListener('done', () => resolve(element.text));
    element.addEventListener('failed', ({ detail }) => resolve(detail.message));
    element.shadowRoot.querySelector('[part=button]').click();
})";

#[tokio::test]
async fn pages_that_bundlers_make_write_the_terminals_text() {
    let users = users();
    for name in ["package.json", "README.md", "LICENSE", "peargpt.d.ts", "weights/peargpt.gguf"] {
        assert!(users.join("node_modules/peargpt").join(name).is_file(), "the package has no {name}");
    }
    for project in ["types", "types/newest.json"] {
        run("node", &["node_modules/typescript/bin/tsc", "--project", project], &users);
    }
    drop(fs::remove_dir_all(users.join("out")));
    run("node", &["build.mjs"], &users);
    let server = Server::of(users.join("out")).unwrap();
    let (_development, url) = Development::start(&users);
    let browser = Browser::start().await.unwrap();
    let built = ["vite", "webpack", "esbuild"].map(|bundler| server.url(&format!("{bundler}/index.html")));
    for page in built.into_iter().chain([url]) {
        browser.open(&page).await.unwrap();
        let title = browser.wait_until("/^(done|failed)/.test(document.title) && document.title").await.unwrap();
        let text = browser.script("return document.querySelector('#out').textContent").await.unwrap();
        assert_eq!(title, "done", "{page}");
        assert_eq!(text.as_str().unwrap().trim_end(), written("12", "7", "ROMEO:"), "{page}");
        let text = browser.promise(PRESS).await.unwrap();
        assert_eq!(text.as_str().unwrap().trim_end(), format!("ROMEO:{}", written("12", "7", "ROMEO:")), "{page}");
    }
    assert_eq!(browser.left_the_machine(), Vec::<String>::new());
}
