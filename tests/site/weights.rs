//! What a browser keeps of GPT-2, seen by a test.

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::browser::Browser;
use crate::worker::worker_that;

/// A file in the browser's storage.
#[derive(Debug, Deserialize)]
pub struct StoredFile {
    pub name: String,
    pub sha256: String,
}

/// All files of a model, with the hashes of their contents.
const STORED: &str = "(async () => {
    const files = [];
    try {
        const root = await navigator.storage.getDirectory();
        const models = await root.getDirectoryHandle('models');
        const folder = await models.getDirectoryHandle('gpt2');
        for await (const handle of folder.values()) {
            const buffer = await (await handle.getFile()).arrayBuffer();
            const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', buffer));
            const sha256 = [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
            files.push({ name: handle.name, sha256 });
        }
    } catch (error) {
        if (error.name !== 'NotFoundError') throw error;
    }
    return files;
})()";

/// The names of the folders that models have.
pub async fn folders(browser: &Browser) -> Result<Vec<String>> {
    let script = "(async () => {
        const names = [];
        const root = await navigator.storage.getDirectory();
        try {
            for await (const name of (await root.getDirectoryHandle('models')).keys()) names.push(name);
        } catch (error) {
            if (error.name !== 'NotFoundError') throw error;
        }
        return names;
    })()";
    Ok(serde_json::from_value(browser.promise(script).await?)?)
}

/// Has this tab hold a file of a model open, made where there is none, until [`let_go`].
pub async fn hold_open(browser: &Browser, model: &str, name: &str) -> Result<()> {
    let script = format!(
        "(async () => {{
            const create = true;
            const root = await navigator.storage.getDirectory();
            const models = await root.getDirectoryHandle('models', {{ create }});
            const folder = await models.getDirectoryHandle('{model}', {{ create }});
            window.held = await (await folder.getFileHandle('{name}', {{ create }})).createWritable();
        }})()"
    );
    browser.promise(&script).await.map(drop)
}

/// Closes what [`hold_open`] has opened.
pub async fn let_go(browser: &Browser) -> Result<()> {
    browser.promise("window.held.abort()").await.map(drop)
}

/// Has this tab hold the lock on a model's files until [`unlock`].
pub async fn lock(browser: &Browser, model: &str) -> Result<()> {
    let script = format!(
        "new Promise((granted) => navigator.locks.request('peargpt:{model}', () => {{
            granted();
            return new Promise((resolve) => window.unlock = resolve);
        }}))"
    );
    browser.promise(&script).await.map(drop)
}

/// Gives the lock back.
pub async fn unlock(browser: &Browser) -> Result<()> {
    browser.script("window.unlock()").await.map(drop)
}

/// What is stored of GPT-2.
pub async fn stored(browser: &Browser) -> Result<Vec<StoredFile>> {
    Ok(serde_json::from_value(browser.promise(STORED).await?)?)
}

/// What is stored of GPT-2 under the name of a hash, which has to be that of its contents.
pub async fn verified(browser: &Browser) -> Result<Vec<StoredFile>> {
    let mut files = stored(browser).await?;
    files.retain(|file| file.name.len() == 64);
    for file in &files {
        ensure!(file.name == file.sha256, "{file:?} is not what its name says");
    }
    Ok(files)
}

/// Changes one byte in the middle of a stored file.
pub async fn damage(browser: &Browser, name: &str) -> Result<()> {
    damage_at(browser, name, "bytes.length >> 1").await
}

/// Changes the byte of a stored file at a place in its `bytes`.
pub async fn damage_at(browser: &Browser, name: &str, place: &str) -> Result<()> {
    let script = format!(
        "(async () => {{
            const root = await navigator.storage.getDirectory();
            const models = await root.getDirectoryHandle('models');
            const folder = await models.getDirectoryHandle('gpt2');
            const handle = await folder.getFileHandle('{name}');
            const file = await handle.getFile();
            const bytes = new Uint8Array(await file.arrayBuffer());
            bytes[{place}] ^= 1;
            const writable = await handle.createWritable();
            await writable.write(bytes);
            await writable.close();
        }})()"
    );
    browser.promise(&script).await.map(drop)
}

/// The number of parts whose checksums the record of what is stored has. `change` is done to the `record`, whose other
/// checksums JavaScript rounds where it is written.
pub async fn checksums(browser: &Browser, change: &str) -> Result<u64> {
    let script = format!(
        "(async () => {{
            const root = await navigator.storage.getDirectory();
            const models = await root.getDirectoryHandle('models');
            const folder = await models.getDirectoryHandle('gpt2');
            const handle = await folder.getFileHandle('record.json');
            const record = JSON.parse(await (await handle.getFile()).text());
            const count = record.checksums.filter((checksums) => checksums.length > 0).length;
            if ('{change}' === '') return count;
            {change}
            const writable = await handle.createWritable();
            await writable.write(JSON.stringify(record));
            await writable.close();
            return count;
        }})()"
    );
    Ok(serde_json::from_value(browser.promise(&script).await?)?)
}

/// Put before the page: takes storage away from the worker, or makes it fail as a full disk does after so many bytes.
pub fn storage_that(fails: &str) -> String {
    worker_that(fails)
}

/// No storage at all, as in some private windows.
pub const MISSING: &str =
    "StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('no', 'SecurityError'));";

/// A disk that takes 100,000 bytes.
pub const FULL: &str = "
    let room = 100000;
    for (const name of ['write', 'truncate']) {
        const plain = FileSystemSyncAccessHandle.prototype[name];
        FileSystemSyncAccessHandle.prototype[name] = function (what, ...rest) {
            if (name === 'write') room -= what.byteLength;
            if (room < 0 || (name === 'truncate' && what > room)) throw new DOMException('full', 'QuotaExceededError');
            return plain.call(this, what, ...rest);
        };
    }";

/// A disk that takes 100,000 bytes, and does not say so before.
pub const FILLING: &str = "
    let room = 100000;
    const plain = FileSystemSyncAccessHandle.prototype.write;
    FileSystemSyncAccessHandle.prototype.write = function (what, ...rest) {
        room -= what.byteLength;
        if (room < 0) throw new DOMException('full', 'QuotaExceededError');
        return plain.call(this, what, ...rest);
    };";

/// A disk that changes one bit of the first long piece that is written behind the first 20,000 bytes of a file.
pub const FLIPPING: &str = "
    const plain = FileSystemSyncAccessHandle.prototype.write;
    let left = 1;
    FileSystemSyncAccessHandle.prototype.write = function (what, ...rest) {
        if (what.byteLength > 1000 && rest[0]?.at > 20000 && left-- > 0) {
            what = what.slice();
            what[500] ^= 1;
        }
        return plain.call(this, what, ...rest);
    };";
