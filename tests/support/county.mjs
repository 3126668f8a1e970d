// A small county for scenarios, made through the public doors only: a consortium, a county hospital, two
// townships with a village each, and one person per post.
import { EventStream, init, login, request, serve, userAdd, withCheckDigit } from "./server.mjs";

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

export const idCard = (region, birth, order) => withCheckDigit(`${region}${birth}${String(order).padStart(3, "0")}`);

export const patient = (family, given, more = {}) => ({
  resourceType: "Patient", active: true, name: [{ use: "official", text: family + given, family, given: [given] }],
  gender: "female", birthDate: "1962-03-05", ...more,
});

/** The person's event stream: next(match, ms) gives the first that came or comes and matches; seen: all so far. */
export async function events(server, person, after) {
  const stream = await EventStream.open(server.url, person.session.access_token, after);
  if (stream.status !== 200) throw new Error(`/events: ${stream.status}`);
  return { seen: stream.seen, next: (match, ms) => stream.find(match, ms), close: () => stream.close() };
}

export { request };
