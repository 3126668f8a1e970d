// A small county for scenarios, made through the public doors only: a consortium, a county hospital, two
// townships with a village each, and one person per post.
import { init, login, request, serve, userAdd } from "./server.mjs";

const organization = (id, name, parent) => ({
  resourceType: "Organization", id, active: true, name,
  ...(parent && { partOf: { reference: `Organization/${parent}` } }),
});

const TREE = [
  organization("consortium", "青川县医共体"),
  organization("county", "青川县人民医院", "consortium"),
  organization("t1", "东乡卫生院", "consortium"),
  organization("t2", "西乡卫生院", "consortium"),
  organization("v1", "东乡一村卫生室", "t1"),
  organization("v2", "西乡一村卫生室", "t2"),
];

const PEOPLE = {
  village1: ["village-doctor", "v1"], township1: ["township-doctor", "t1"], technician1: ["technician", "t1"],
  village2: ["village-doctor", "v2"], township2: ["township-doctor", "t2"], technician2: ["technician", "t2"],
  reader: ["reader", "county"], doctor: ["county-doctor", "county"], office: ["referral-office", "county"],
  consortium: ["consortium-office", "consortium"],
};

/** Changes a first password and logs in with the new one. */
export async function settle(server, account, password = "Doorstep-2026") {
  const first = await login(server, account);
  if (first.session.must_change_password) {
    const r = await first.post("/auth/password", { password: account.password, new_password: password });
    if (r.status >= 300) throw new Error(`password of ${account.username}: ${r.status} ${r.text}`);
    first.close();
    return login(server, { username: account.username, password });
  }
  return first;
}

/** {server, dir, machine (integrator), people: {village1, …}, administrators, close()}. */
export async function county(...args) {
  const { dir, system, security, audit } = init();
  const machineAccount = userAdd(dir, "integrator", "machine");
  const server = await serve(dir, ...args);
  const machine = await login(server, machineAccount);
  for (const resource of TREE) await machine.keep(resource);
  const people = {};
  for (const [name, [role, org]] of Object.entries(PEOPLE)) {
    const account = userAdd(dir, role, name, "--organization", `Organization/${org}`, "--name", name);
    people[name] = await settle(server, account);
  }
  const administrators = {
    system: await settle(server, system), security: await settle(server, security), audit: await settle(server, audit),
  };
  const close = async () => {
    for (const person of [machine, ...Object.values(people), ...Object.values(administrators)]) person.close();
    return server.stop();
  };
  return { server, dir, machine, machineAccount, people, administrators, close };
}

// GB 11643: the weighted sum of all eighteen places is 1 modulo 11.
export function idCard(region, birth, order) {
  const head = `${region}${birth}${String(order).padStart(3, "0")}`;
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
  const sum = weights.reduce((s, w, i) => s + w * Number(head[i]), 0);
  return head + "10X98765432"[sum % 11];
}

export const patient = (family, given, more = {}) => ({
  resourceType: "Patient", active: true, name: [{ use: "official", text: family + given, family, given: [given] }],
  gender: "female", birthDate: "1962-03-05", ...more,
});

/** The event stream as an async list: next(match) resolves with the first event that matches, seen: all so far. */
export function events(server, person, after) {
  const seen = [];
  const waiters = [];
  let text = "";
  const headers = { Authorization: `Bearer ${person.session.access_token}`, Accept: "text/event-stream" };
  if (after !== undefined) headers["Last-Event-ID"] = String(after);
  const take = (block) => {
    const event = { data: "" };
    for (const line of block.split("\n")) {
      const [, key, value] = line.match(/^(\w+): ?(.*)$/) ?? [];
      if (key === "data") event.data += value;
      else if (key) event[key] = value;
    }
    if (!event.data) return;
    event.data = JSON.parse(event.data);
    seen.push(event);
    for (const w of [...waiters]) {
      if (w.match(event)) {
        waiters.splice(waiters.indexOf(w), 1);
        w.resolve(event);
      }
    }
  };
  return import("node:http").then(({ default: http }) => new Promise((resolve, reject) => {
    const req = http.request(new URL("/events", server.url), { headers }, (res) => {
      if (res.statusCode !== 200) {
        reject(new Error(`/events: ${res.statusCode}`));
        return;
      }
      res.setEncoding("utf8");
      res.on("data", (piece) => {
        text += piece;
        for (let at = text.indexOf("\n\n"); at >= 0; at = text.indexOf("\n\n")) {
          take(text.slice(0, at));
          text = text.slice(at + 2);
        }
      });
      res.on("error", () => {});
      resolve({
        seen,
        next: (match, ms = 10_000) => {
          const found = seen.find(match);
          if (found) return Promise.resolve(found);
          return new Promise((ok, late) => {
            const clock = setTimeout(() => late(new Error("the event did not come")), ms);
            waiters.push({ match, resolve: (e) => { clearTimeout(clock); ok(e); } });
          });
        },
        close: () => req.destroy(),
      });
    });
    req.on("error", (e) => reject(e));
    req.end();
  }));
}

export { request };
