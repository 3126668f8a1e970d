// The real program for scenarios: made, served, talked to, killed. $MENKOU names the binary (tests/run.mjs
// sets it; by hand: MENKOU=build/test/src/cmd/menkou node --test tests/scenario/x.test.mjs).
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, existsSync } from "node:fs";
import http from "node:http";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const program = process.env.MENKOU ?? join(root, "build", "test", "src", "cmd", "menkou");

const folders = [];
const children = new Set();
// A test that failed in the middle leaves no server behind that would keep this process alive.
after(() => {
  for (const child of children) child.kill("SIGKILL");
});
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A new empty folder below build/tmp, gone when the test ends. */
export function folder(name = "data") {
  const parent = process.env.MENKOU_TMP ?? join(root, "build", "tmp");
  mkdirSync(parent, { recursive: true });
  const made = mkdtempSync(join(parent, `${name}-`));
  folders.push(made);
  return made;
}

/** Runs the program to its end: {code, stdout, stderr}. */
export function menkou(...args) {
  const r = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 30, env: { ...process.env, LANG: "C.UTF-8" } });
  if (r.error) throw r.error;
  return { code: r.status, stdout: r.stdout, stderr: r.stderr };
}

/** A new data directory: its path and the three administrators {username, password}. */
export function init() {
  const dir = join(folder(), "county");
  const r = menkou("init", "--data", dir);
  if (r.code !== 0) throw new Error(`init: ${r.stderr}`);
  const [system, security, audit] = r.stdout.trim().split("\n").map((line) => {
    const [username, password] = line.split(" ");
    return { username, password };
  });
  return { dir, system, security, audit };
}

/** `menkou user add`: {username, password}. */
export function userAdd(dir, role, username, ...more) {
  const r = menkou("user", "add", "--data", dir, "--role", role, ...more, username);
  if (r.code !== 0) throw new Error(`user add: ${r.stderr}`);
  const [name, password] = r.stdout.trim().split(" ");
  return { username: name, password };
}

/**
 * Starts `menkou COMMAND …` on a free port and resolves when it listens: {url, dir, stop(), kill(), exited}.
 * `exited` resolves to {code, signal}; stop() ends it in order, kill() as a power switch does for a process.
 */
export function start(command, dir, ...args) {
  const child = spawn(program, [command, "--data", dir, "--listen", "127.0.0.1:0", ...args], {
    stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, LANG: "C.UTF-8" },
  });
  children.add(child);
  const said = [];
  child.stderr.on("data", (d) => said.push(d));
  const exited = new Promise((resolve) => child.on("close", (code, signal) => {
    children.delete(child);
    resolve({ code, signal, stderr: Buffer.concat(said).toString("utf8") });
  }));
  const end = (signal) => {
    child.kill(signal);
    return exited;
  };
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const at = line.match(/^listening on (http:\/\/\S+)$/);
      if (at) {
        resolve({
          url: at[1], dir, pid: child.pid, exited, stop: () => end("SIGTERM"), kill: () => end("SIGKILL"),
          stderr: () => Buffer.concat(said).toString("utf8"),
        });
      }
    });
    exited.then((e) => reject(new Error(`${command} ended with ${e.code ?? e.signal} before it listened: ${e.stderr}`)));
  });
}

export const serve = (dir, ...args) => start("serve", dir, ...args);

/** A served county made by `menkou demo`, with its accounts. */
export async function demo(...args) {
  const dir = join(folder("demo"), "county");
  const server = await start("demo", dir, "--people", "200", ...args);
  const { readFileSync } = await import("node:fs");
  return { server, dir, accounts: JSON.parse(readFileSync(join(dir, "accounts.json"), "utf8")) };
}

/** One HTTP request: {status, headers, text, bytes, json()}. Body: text, Buffer, or an object sent as FHIR JSON. */
export function request(base, method, path, { headers = {}, body, agent } = {}) {
  const url = new URL(path, base);
  const isObject = body !== undefined && typeof body !== "string" && !Buffer.isBuffer(body);
  const bytes = body === undefined ? undefined : Buffer.isBuffer(body) ? body : Buffer.from(isObject ? JSON.stringify(body) : body);
  const all = { ...headers };
  const typed = Object.keys(all).some((name) => name.toLowerCase() === "content-type");
  if (bytes && !typed) all["Content-Type"] = path.startsWith("/auth") ? "application/json" : "application/fhir+json";
  if (bytes) all["Content-Length"] = bytes.length;
  return new Promise((resolve, reject) => {
    const req = http.request(url, { method, headers: all, agent }, (res) => {
      const pieces = [];
      res.on("data", (d) => pieces.push(d));
      res.on("error", reject);
      res.on("aborted", () => reject(new Error("the answer was cut off")));
      res.on("end", () => {
        const whole = Buffer.concat(pieces);
        resolve({
          status: res.statusCode, headers: res.headers, bytes: whole, text: whole.toString("utf8"),
          json: () => JSON.parse(whole.toString("utf8")),
        });
      });
    });
    req.on("error", reject);
    req.end(bytes);
  });
}

/** Logs in and speaks for that person: get, post, put, del, and `user` from the log-in. */
export async function login(server, { username, password }) {
  const r = await request(server.url, "POST", "/auth/login", { body: { username, password } });
  if (r.status !== 200) throw new Error(`log-in of ${username}: ${r.status} ${r.text}`);
  return speaker(server, r.json());
}

export function speaker(server, session) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  const send = (method, path, body, headers = {}) => request(server.url, method, path, {
    body, agent, headers: { Authorization: `Bearer ${session.access_token}`, "Accept-Language": "en", ...headers },
  });
  return {
    session, user: session.user, agent, send,
    get: (path, headers) => send("GET", path, undefined, headers),
    post: (path, body, headers) => send("POST", path, body, headers),
    put: (path, body, headers) => send("PUT", path, body, headers),
    del: (path, headers) => send("DELETE", path, undefined, headers),
    /** Puts a resource under its own id and returns it as stored. */
    async keep(resource) {
      const r = await send("PUT", `/fhir/${resource.resourceType}/${resource.id}`, resource);
      if (r.status !== 200 && r.status !== 201) throw new Error(`PUT ${resource.resourceType}/${resource.id}: ${r.status} ${r.text}`);
      return r.json();
    },
    close: () => agent.destroy(),
  };
}

/** Issues' rule code or text of an OperationOutcome, for assertions. */
export const rule = (answer) => answer.json().issue?.[0]?.details?.coding?.[0]?.code;

/** Waits for a condition by asking again, at most `ms`; no fixed pause decides a test. */
export async function until(what, condition, ms = 10_000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export const exists = existsSync;
