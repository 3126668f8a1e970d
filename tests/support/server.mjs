// The harness of all scenarios: the real program made, served, talked to and killed; requests, event streams.
// menkou.mjs (one server and its clients) and county.mjs (a small county) stand on it. The program is $MENKOU
// (tests/run.mjs sets it), else build/release or build/test. A scenario waits for events, never sleeps.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import http from "node:http";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { onPostgres, withDatabase } from "./database.mjs";

export const root = process.env.MENKOU_ROOT ?? dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const program = [
  process.env.MENKOU, join(root, "build/release/src/cmd/menkou"), join(root, "build/test/src/cmd/menkou"),
].find((path) => path && existsSync(path));
if (!program) throw new Error("no program: build it (./dev test) or name it in $MENKOU");

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
  const r = spawnSync(program, withDatabase(args), {
    encoding: "utf8", maxBuffer: 1 << 30, timeout: 300_000, env: { ...process.env, LANG: "C.UTF-8" },
  });
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
 * Starts `menkou COMMAND …` on a free port and resolves when it listens: {url, dir, pid, stop(), kill(), stderr(), exited}.
 * `exited` resolves to {code, signal, stderr}; stop() ends it in order, kill() as a power switch does for a process.
 */
export const start = (command, dir, ...args) => launch(program, command, dir, args);
export const serve = (dir, ...args) => start("serve", dir, ...args);

/** The same of another program than the one under test. */
export function launch(path, command, dir, args) {
  const child = spawn(path, withDatabase([command, "--data", dir, "--listen", "127.0.0.1:0", ...args]), {
    stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, LANG: "C.UTF-8" },
  });
  children.add(child);
  const said = [];
  child.stderr.on("data", (d) => said.push(d));
  const stderr = () => Buffer.concat(said).toString("utf8");
  let listens = false, asked = false;
  const exited = new Promise((resolve) => child.on("close", (code, signal) => {
    children.delete(child);
    if (listens && !asked) console.error(`${command} ended by itself (${signal ?? code}): ${stderr().slice(-8000)}`);
    resolve({ code, signal, stderr: stderr() });
  }));
  const end = (signal) => {
    asked = true;
    child.kill(signal);
    return exited;
  };
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const at = line.match(/^listening on (http:\/\/\S+)$/);
      if (!at) return;
      listens = true;
      resolve({
        url: at[1], dir, pid: child.pid, exited, stderr, end, stop: () => end("SIGTERM"), kill: () => end("SIGKILL"),
      });
    });
    exited.then((e) => reject(new Error(`${command} ended with ${e.code ?? e.signal} before it listened: ${e.stderr}`)));
  });
}

function demoMade(dir, args) {
  const r = menkou("demo", "--make-only", "--data", dir, ...args);
  if (r.code !== 0) throw new Error(`demo: ${r.stderr}`);
}

/**
 * A county of `menkou demo` in `dir`, which is not there yet. $MENKOU_COUNTIES (tests/run.mjs) is a folder of counties
 * already made in this run: the same arguments give the same county, so a copy will do. Packages of the test's own
 * are nobody else's.
 */
export function demoMake(dir, args) {
  const kept = process.env.MENKOU_COUNTIES;
  if (!kept || args.includes("--pathways") || args.includes("--db") || onPostgres) {
    demoMade(dir, args);
    return;
  }
  const pairs = args.flatMap((arg, i) => i % 2 ? [] : [`${arg} ${args[i + 1]}`]).sort();
  const made = join(kept, createHash("sha256").update(pairs.join("\n")).digest("hex").slice(0, 16));
  if (!existsSync(made)) {
    const mine = mkdtempSync(`${made}-`);
    demoMade(join(mine, "county"), args);
    try {
      renameSync(join(mine, "county"), made);
    } catch (e) {
      if (!existsSync(made)) throw e; // another was first
    }
    rmSync(mine, { recursive: true, force: true });
  }
  execFileSync("cp", ["-a", "--reflink=auto", made, dir]);
}

/** A served county made by `menkou demo`, with its accounts. */
export async function demo(...args) {
  const dir = join(folder("demo"), "county");
  demoMake(dir, ["--people", "200", ...args]);
  const server = await start("demo", dir, ...args);
  return { server, dir, accounts: JSON.parse(readFileSync(join(dir, "accounts.json"), "utf8")) };
}

/** One HTTP request: {status, headers, text, bytes, json()}. Body: text, Buffer, or an object sent as FHIR JSON. */
export function request(base, method, path, { headers = {}, body, agent } = {}) {
  const url = new URL(path, base);
  const isObject = body !== undefined && typeof body !== "string" && !Buffer.isBuffer(body);
  const bytes = body === undefined ? undefined : Buffer.isBuffer(body) ? body : Buffer.from(isObject ? JSON.stringify(body) : body);
  const all = { ...headers };
  const typed = Object.keys(all).some((name) => name.toLowerCase() === "content-type");
  if (bytes && !typed) all["Content-Type"] = path.startsWith("/fhir") ? "application/fhir+json" : "application/json";
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

/** An event stream: the events in order, each {id, event, data}. */
export class EventStream {
  static open(base, token, lastEventId) {
    const headers = { Authorization: `Bearer ${token}`, Accept: "text/event-stream" };
    if (lastEventId !== undefined) headers["Last-Event-ID"] = String(lastEventId);
    return new Promise((resolve, reject) => {
      const req = http.get(new URL("/events", base), { headers }, (res) => resolve(new EventStream(req, res)));
      req.on("error", reject);
    });
  }

  constructor(req, res) {
    Object.assign(this, { req, status: res.statusCode, headers: res.headers, seen: [], given: 0, waiting: [], text: "" });
    this.closed = new Promise((done) => res.once("close", done));
    res.setEncoding("utf8");
    res.on("data", (piece) => this.take(piece));
    res.on("error", () => {});
  }

  take(piece) {
    this.text += piece;
    const blocks = this.text.split("\n\n");
    this.text = blocks.pop();
    for (const block of blocks) {
      const event = { id: undefined, event: "message", data: undefined };
      for (const line of block.split("\n")) {
        const [, key, value] = line.match(/^(\w+): ?(.*)$/) ?? [];
        if (key) event[key] = key === "data" ? JSON.parse(value) : value;
      }
      this.seen.push(event);
    }
    for (const wake of this.waiting.splice(0)) wake();
  }

  async #first(from, fits) {
    for (;;) {
      const at = this.seen.findIndex((event, i) => i >= from && fits(event));
      if (at >= 0) return at;
      await new Promise((wake) => this.waiting.push(wake));
    }
  }

  /** The first event not yet given out that fits; events before it are passed over. */
  async next(fits = () => true) {
    const at = await this.#first(this.given, fits);
    this.given = at + 1;
    return this.seen[at];
  }

  /** The first that ever came, or comes within `ms`, and fits. */
  async find(fits, ms = 10_000) {
    let clock;
    const late = new Promise((_, reject) => {
      clock = setTimeout(() => reject(new Error("the event did not come")), ms);
    });
    try {
      return this.seen[await Promise.race([this.#first(0, fits), late])];
    } finally {
      clearTimeout(clock);
    }
  }

  close() {
    this.req.destroy();
  }
}

/** GB 11643: seventeen digits and the one that makes the weighted sum of all 1 modulo 11. */
export function withCheckDigit(head) {
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
  return head + "10X98765432"[weights.reduce((sum, weight, i) => sum + weight * Number(head[i]), 0) % 11];
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
