// A server under more than it can do: idle connections, a flood, clients that drip. The real deadlines take a minute
// and a half and stand behind --long; tests/unit/http has them short.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { Worker } from "node:worker_threads";
import { init, login, serve, userAdd } from "../support/server.mjs";

const LONG = Boolean(process.env.MENKOU_LONG);
const IDLE = 1000, READERS = 16, READS = LONG ? 500 : 60; // of each
// Requests at once: sixteen workers and the queue's 512 places take 528. Ten times that by --long; by default about
// twice, which a quick machine may answer without refusing any (tests/unit/http fills the queue to its last place).
const FLOOD = LONG ? 5280 : 1000;

let server, person, port;
before(async () => {
  const { dir } = init();
  const account = userAdd(dir, "integrator", "machine");
  server = await serve(dir);
  port = new URL(server.url).port;
  person = await login(server, account);
  const entry = Array.from({ length: 1000 }, (_, i) => ({
    resource: { resourceType: "Basic", id: `b${i}`, code: { text: "storm" } }, request: { method: "PUT", url: `Basic/b${i}` },
  }));
  const r = await person.post("/fhir", { resourceType: "Bundle", type: "transaction", entry });
  assert.equal(r.status, 200, r.text);
});
after(async () => {
  person?.close();
  await server?.stop();
});

const token = () => person.session.access_token;
const rssMiB = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))[1]) / 1024;
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

function dial() {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: "127.0.0.1", port }, () => resolve(socket));
    socket.once("error", reject);
  });
}

/** Milliseconds of each read of sixteen clients, sorted. */
async function readAll() {
  const agent = new http.Agent({ keepAlive: true, maxSockets: READERS });
  const took = [];
  const one = (i) => new Promise((resolve, reject) => {
    const begun = performance.now();
    http.get(`${server.url}/fhir/Basic/b${i}`, { agent, headers: { Authorization: `Bearer ${token()}` } }, (res) => {
      res.resume().on("end", () => {
        took.push(performance.now() - begun);
        resolve(assert.equal(res.statusCode, 200));
      });
    }).on("error", reject);
  });
  await Promise.all(Array.from({ length: READERS }, async (_, c) => {
    for (let n = 0; n < READS; n++) await one((c * READS + n) % 1000);
  }));
  agent.destroy();
  return took.sort((a, b) => a - b);
}

test(`${IDLE} idle connections do not slow ${READERS} readers`, async (t) => {
  await readAll(); // once, so that both are warm
  const alone = await readAll();
  const idle = await Promise.all(Array.from({ length: IDLE }, dial));
  const beside = await readAll();
  for (const socket of idle) socket.destroy();
  const [before, with_] = [at(alone, 0.99), at(beside, 0.99)];
  t.diagnostic(`p99 ${before.toFixed(1)} ms alone, ${with_.toFixed(1)} ms beside ${IDLE} idle connections; p50 ${at(beside, 0.5).toFixed(1)} ms`);
  assert.ok(with_ < 20 * before + 200, `p99 went from ${before} to ${with_} ms`);
});

/**
 * A request on a connection of its own: {status, retry, ms}. A client that is itself ten seconds late with its first
 * byte finds its connection ended, without an answer, and asks again.
 */
async function shot(path) {
  for (let late = 0; ; late++) {
    const answer = await ask(path);
    if (answer.status || late === 3) return answer;
  }
}

async function ask(path) {
  const socket = await dial();
  const begun = performance.now();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token()}\r\nConnection: close\r\n\r\n`);
  return new Promise((resolve, reject) => {
    let head = "";
    socket.on("data", (d) => { if (head.length < 2000) head += d.toString("latin1"); });
    socket.on("error", reject);
    socket.on("close", () => resolve({
      status: Number(head.split(" ")[1]), retry: /^Retry-After: \d+/im.test(head), ms: performance.now() - begun,
    }));
  });
}

/** Somebody else who asks meanwhile, every 50 ms, from a thread that has nothing else to do. */
function bystander() {
  const worker = new Worker(`
    const { parentPort, workerData } = require("node:worker_threads");
    const http = require("node:http");
    const asked = [];
    const ask = () => asked.push(new Promise((resolve, reject) => {
      const begun = performance.now();
      http.get(workerData.url, { agent: false, headers: { Authorization: workerData.bearer } }, (res) => {
        res.resume().on("end", () => resolve({ status: res.statusCode, ms: performance.now() - begun }));
      }).on("error", reject);
    }));
    const clock = setInterval(ask, 50);
    parentPort.once("message", async () => {
      clearInterval(clock);
      parentPort.postMessage(await Promise.all(asked));
    });`, { eval: true, workerData: { url: `${server.url}/fhir/Basic?_count=500`, bearer: `Bearer ${token()}` } });
  const answers = new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  return async () => {
    worker.postMessage("over");
    const took = await answers;
    await worker.terminate();
    return took;
  };
}

test(`a flood of ${FLOOD} requests at once is refused where it must be, and passes`, async (t) => {
  const before = rssMiB(), bystanderStop = bystander();
  let peak = before;
  const watch = setInterval(() => { peak = Math.max(peak, rssMiB()); }, 50);
  const answers = await Promise.all(Array.from({ length: FLOOD }, () => shot("/fhir/Basic?_count=500")));
  clearInterval(watch);
  const aside = (await bystanderStop()).filter((a) => a.status === 503).map((a) => a.ms).sort((a, b) => a - b);
  const done = answers.filter((a) => a.status === 200), refused = answers.filter((a) => [429, 503].includes(a.status));
  assert.equal(done.length + refused.length, FLOOD, `statuses ${[...new Set(answers.map((a) => a.status))]}`);
  assert.ok(done.length >= 16, "what it can do is done");
  assert.ok(refused.length > 0 || !LONG, "what it cannot is refused");
  assert.ok(refused.every((a) => a.retry), "with Retry-After");
  const quick = at(refused.map((a) => a.ms).sort((a, b) => a - b), 0.5) ?? 0, slow = at(done.map((a) => a.ms).sort((a, b) => a - b), 0.5);
  t.diagnostic(`${done.length} done (median ${slow.toFixed(0)} ms), ${refused.length} refused (median ${quick.toFixed(0)} ms); resident ${before.toFixed(0)} MiB, at most ${peak.toFixed(0)}; a bystander was refused ${aside.length} times, median ${at(aside, 0.5)?.toFixed(0) ?? "-"} ms, p90 ${at(aside, 0.9)?.toFixed(0) ?? "-"}`);
  assert.ok(answers.every((a) => a.ms < 60_000), "nobody waits beyond the deadline of an answer");
  assert.ok(peak < before + 1024, `resident memory went from ${before} to ${peak} MiB`);
  const again = await readAll();
  assert.equal(again.length, READERS * READS);
  assert.equal((await shot("/fhir/Basic?_count=500")).status, 200);
});

const drips = [
  ["headers", "POST /fhir/Basic HTTP/1.1\r\n", 10],
  ["body", `POST /fhir/Basic HTTP/1.1\r\nHost: a\r\nContent-Type: application/fhir+json\r\nContent-Length: 100000\r\n`, 30],
];
for (const [what, head, seconds] of drips) {
  test(`one byte a second of ${what} is ended after ${seconds} s`, { skip: !LONG && "SKIPPED: real deadlines only with --long" }, async () => {
    const socket = await dial();
    const begun = performance.now();
    socket.on("error", () => {});
    socket.write(what === "body" ? `${head}Authorization: Bearer ${token()}\r\n\r\n` : head);
    const drip = setInterval(() => socket.write("a"), 1000);
    await new Promise((resolve) => socket.resume().on("close", resolve));
    clearInterval(drip);
    const took = (performance.now() - begun) / 1000;
    assert.ok(took > seconds - 2 && took < seconds + 10, `ended after ${took.toFixed(1)} s`);
  });
}
