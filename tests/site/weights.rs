//! What a browser keeps of GPT-2, seen by a test.

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::browser::Browser;

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

/// Changes one byte of a stored file.
pub async fn damage(browser: &Browser, name: &str) -> Result<()> {
    let script = format!(
        "(async () => {{
            const root = await navigator.storage.getDirectory();
            const models = await root.getDirectoryHandle('models');
            const folder = await models.getDirectoryHandle('gpt2');
            const handle = await folder.getFileHandle('{name}');
            const file = await handle.getFile();
            const bytes = new Uint8Array(await file.arrayBuffer());
            bytes[bytes.length >> 1] ^= 1;
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

/// Put before the page: the worker begins with this script.
pub fn worker_that(begins: &str) -> String {
    format!(
        "const begins = `{begins}`;
         const Plain = window.Blob;
         window.Blob = class extends Plain {{
             constructor(parts, options) {{
                 const isWorker = parts?.some((part) => String(part).includes('importScripts'));
                 super(isWorker ? [begins, ...parts] : parts, options);
             }}
         }};"
    )
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
