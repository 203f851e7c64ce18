// Builds each page with its bundler: `node build.mjs` into out/, `node build.mjs dev` serves Vite's as it stands.

import { cpSync, copyFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build as esbuild } from "esbuild";
import { build as vite, createServer } from "vite";
import webpack from "webpack";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

function withWebpack() {
  const config = {
    mode: "production",
    entry: at("webpack/main.js"),
    output: { path: at("out/webpack"), filename: "main.js" },
    performance: false,
  };
  return new Promise((resolve, reject) => {
    webpack(config, (error, stats) => {
      if (error || stats.hasErrors() || stats.hasWarnings()) reject(error || new Error(stats.toString()));
      else resolve();
    });
  });
}

if (process.argv[2] === "dev") {
  const server = await createServer({ root: at("vite"), server: { host: "127.0.0.1", port: 0, hmr: false }, logLevel: "warn" });
  await server.listen();
  console.log(`http://127.0.0.1:${server.httpServer.address().port}/`);
} else {
  await vite({ root: at("vite"), base: "./", logLevel: "warn", build: { outDir: at("out/vite"), emptyOutDir: true } });
  await withWebpack();
  copyFileSync(at("webpack/index.html"), at("out/webpack/index.html"));
  await esbuild({ entryPoints: [at("esbuild/main.js")], bundle: true, format: "esm", outfile: at("out/esbuild/main.js") });
  copyFileSync(at("esbuild/index.html"), at("out/esbuild/index.html"));
  mkdirSync(at("out/esbuild/peargpt"), { recursive: true });
  cpSync(at("node_modules/peargpt"), at("out/esbuild/peargpt"), { recursive: true });
}
