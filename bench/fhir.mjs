// Three published workloads of FHIR servers over HTTP, at growing sizes, from public test patients re-keyed.
//   W1 (mock.health): patient bundles as transactions, a mix of create, read, update and delete, thirty searches each on
//      its own, the slope of their medians' growth;
//   W2 (HealthSamurai): nine types created, read, updated and deleted, searches by kind of parameter;
//   W3 (Blaze): transactions of two resources from 1 … 128 clients; first pages at a constant rate (open loop).
//   node bench/fhir.mjs BUILD DIR BUNDLES
// BUNDLES: the folder of the patients' bundles. MENKOU_BENCH_PATIENTS: sizes, 120,480,1920. MENKOU_BENCH_SECONDS: of each search, 2.
// MENKOU_BENCH_DB: a database's URL in place of DIR. Prints a line a measurement, and JSON of all to DIR/fhir.json.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { anonymous, cpu, flushMs, lines, load, login, serve } from './serving.mjs';

const [build, dir, folder] = process.argv.slice(2);
const sizes = (process.env.MENKOU_BENCH_PATIENTS ?? '120,480,1920').split(',').map(Number);
const seconds = process.env.MENKOU_BENCH_SECONDS ?? '2';
const CLIENTS = 64, INGEST_CLIENTS = 8;
const program = join(build, 'src/cmd/menkou');
const store = process.env.MENKOU_BENCH_DB;
const where = store ? ['--db', store] : [];
const results = [];

function say(workload, name, r, more = {}) {
    results.push({ workload, name, ...r, ...more });
    const extra = Object.entries(more).map(([k, v]) => `  ${k} ${v}`).join('');
    console.log(`${workload} ${name.padEnd(58)} ${String(r.per_second).padStart(7)}/s  p50 ${(r.p50_us / 1000).toFixed(2)} ms  p99 ${(r.p99_us / 1000).toFixed(2)} ms  ${r.cpu_us} µs of CPU`
        + `${r.errors ? `  ${r.errors} ERRORS` : ''}${extra}`);
}

// ---- Patients ----------------------------------------------------------------------------------------------------

const files = readdirSync(folder).filter((f) => f.endsWith('.json')).sort();
const shared = files.filter((f) => /^(hospital|practitioner)Information/.test(f));
const patients = files.filter((f) => !shared.includes(f));
const UUID = /\b([0-9a-f]{8})(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/g;

/** What every copy refers to keeps its ids. */
const kept = new Set(shared.flatMap((f) => [...readFileSync(join(folder, f), 'utf8').matchAll(UUID)].map((m) => m[0])));

/** Another person of the same story: each UUID becomes another in each copy. */
function rekeyed(text, copy) {
    return copy === 0 ? text : text.replace(UUID, (all, head, tail) => (kept.has(all) ? all
        : ((parseInt(head, 16) ^ Math.imul(copy, 0x9e3779b1)) >>> 0).toString(16).padStart(8, '0') + tail));
}

function command(...args) {
    const r = spawnSync(program, [...args, '--data', dir, ...where], { encoding: 'utf8' });
    if (r.status !== 0) throw new Error(r.stderr);
    return r.stdout;
}

command('init');
const password = command('user', 'add', '--role', 'integrator', `bench${process.pid}`).trim().split(' ')[1];
const began = performance.now();
const serving = await serve(program, dir, where);
console.log(`${availableParallelism()} cores, fdatasync ${flushMs(dir).toFixed(2)} ms, ready in ${(performance.now() - began).toFixed(0)} ms,`
    + ` validation, audit, history and access filter on, ${store ?? 'SQLite'}`);
const { url } = serving;
const { header, get, search } = await login(url, `bench${process.pid}`, password);
const bearer = header.split(': ')[1];
/** Requests from so many clients, and the server's CPU for each. */
function run(clients, secs, name, list, ...more) {
    const before = cpu(serving.child.pid);
    const r = load(build, url.port, clients, secs, lines(name, list), '--header', header, ...more);
    return { ...r, cpu_us: Math.round((cpu(serving.child.pid) - before) * 1e6 / Math.max(r.requests, 1)) };
}

async function post(text) {
    const r = await fetch(new URL('/fhir', url), { method: 'POST', headers: { Authorization: bearer, 'Content-Type': 'application/fhir+json' }, body: text });
    const answer = await r.json();
    if (!r.ok) throw new Error(`${r.status} ${JSON.stringify(answer).slice(0, 400)}`);
    return answer.entry.filter((e) => e.response.status.startsWith('2')).length;
}

for (const f of shared) await post(readFileSync(join(folder, f), 'utf8'));
let made = 0;

/** People up to so many, as transactions from eight clients. */
async function ingest(to) {
    const took = [], start = performance.now(), first = made, before = cpu(serving.child.pid);
    let entries = 0;
    await Promise.all(Array.from({ length: INGEST_CLIENTS }, async () => {
        while (made < to) {
            const n = made++;
            const text = rekeyed(readFileSync(join(folder, patients[n % patients.length]), 'utf8'), Math.floor(n / patients.length));
            const t = performance.now();
            const done = await post(text);
            entries += done;
            took.push(performance.now() - t);
        }
    }));
    const s = (performance.now() - start) / 1000;
    took.sort((a, b) => a - b);
    const at = (share) => Math.round(took[Math.min(took.length - 1, Math.floor(took.length * share))] * 1000);
    say('W1', `ingest to ${to} patients, ${INGEST_CLIENTS} clients`, { per_second: Math.round(entries / s), p50_us: at(0.5), p99_us: at(0.99), errors: 0, cpu_us: Math.round((cpu(serving.child.pid) - before) * 1e6 / entries) },
        { bundles_per_second: ((made - first) / s).toFixed(1), resources: entries });
}

// ---- W1 ----------------------------------------------------------------------------------------------------------

const any = (list) => list[Math.floor(Math.random() * list.length)];
const coding = (r) => `${r.code.coding[0].system}|${r.code.coding[0].code}`;
const pool = async (type, most, of) => [...new Set((await search(`/fhir/${type}?_count=500`, most)).map(of).filter(Boolean))];

const BODIES = {
    Patient: () => ({ resourceType: 'Patient', name: [{ family: `LoadTest${Math.random()}`, given: ['Smoke'] }], gender: any(['male', 'female', 'other', 'unknown']), birthDate: '1990-01-01' }),
    Observation: (subject) => ({ resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'http://loinc.org', code: '8310-5' }] }, subject, effectiveDateTime: new Date().toISOString(), valueQuantity: { value: 37.0, unit: 'Cel', system: 'http://unitsofmeasure.org', code: 'Cel' } }),
    Condition: (subject) => ({ resourceType: 'Condition', clinicalStatus: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }] }, verificationStatus: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-ver-status', code: 'confirmed' }] }, code: { coding: [{ system: 'http://snomed.info/sct', code: '38341003' }] }, subject, onsetDateTime: new Date().toISOString() }),
    Encounter: (subject) => ({ resourceType: 'Encounter', status: 'finished', class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' }, subject, period: { start: '2026-01-01T08:00:00+08:00', end: '2026-01-01T09:00:00+08:00' } }),
    MedicationRequest: (subject) => ({ resourceType: 'MedicationRequest', status: 'active', intent: 'order', medicationCodeableConcept: { coding: [{ system: 'http://www.nlm.nih.gov/research/umls/rxnorm', code: '314076' }] }, subject, authoredOn: new Date().toISOString() }),
};
const MUTATE = {
    Patient: (r) => ({ ...r, active: !r.active }),
    Observation: (r) => ({ ...r, status: r.status === 'final' ? 'amended' : 'final' }),
    Condition: (r) => ({ ...r, meta: { ...r.meta, tag: [{ code: String(Math.random()) }] } }),
    Encounter: (r) => ({ ...r, status: r.status === 'finished' ? 'in-progress' : 'finished' }),
    MedicationRequest: (r) => ({ ...r, status: r.status === 'active' ? 'completed' : 'active' }),
};
const TYPES = [...Array(50).fill('Observation'), ...Array(20).fill('Patient'), ...Array(15).fill('Condition'), ...Array(10).fill('Encounter'), ...Array(5).fill('MedicationRequest')];

/** Create 10, read 60, update (a read and a write) 25, delete 5 of those that the round before made. */
async function crud(n) {
    const living = {};
    for (const type of Object.keys(BODIES)) living[type] = await search(`/fhir/${type}?_count=500&_sort=_id`, 2000);
    const subject = () => ({ reference: `Patient/${any(living.Patient).id}` });
    const doomed = Array.from({ length: 4000 }, (_, i) => `bench-${n}-${i}`);
    run(CLIENTS, 60, 'doomed', doomed.map((id) => `PUT /fhir/Observation/${id} ${JSON.stringify({ ...BODIES.Observation(subject()), id })}`), '--post', '*', '--once', 'yes');
    const list = [];
    for (let i = 0; i < 40000; i++) {
        const type = any(TYPES), dice = Math.random() * 100, r = any(living[type]);
        if (dice < 10) list.push(`POST /fhir/${type} ${JSON.stringify(BODIES[type](subject()))}`);
        else if (dice < 70) list.push(`GET /fhir/${type}/${r.id}`);
        else if (dice < 95) list.push(`GET /fhir/${type}/${r.id}`, `PUT /fhir/${type}/${r.id} ${JSON.stringify(MUTATE[type](r))}`);
        else if (doomed.length) list.push(`DELETE /fhir/Observation/${doomed.pop()}`);
    }
    say('W1', `create 10, read 60, update 25, delete 5 at ${n}, ${CLIENTS} clients`, run(CLIENTS, 10, 'crud', list, '--post', '*', '--once', 'yes'));
}

async function searches() {
    const ids = (await search('/fhir/Patient?_count=500&_elements=id', 5000)).map((p) => p.id);
    const family = await pool('Patient', 500, (p) => p.name?.[0]?.family);
    const condition = await pool('Condition', 500, coding), procedure = await pool('Procedure', 500, coding);
    const practitioner = await pool('Practitioner', 500, (p) => p.id), location = await pool('Location', 500, (p) => p.id);
    const each = (list, of) => Array.from({ length: 300 }, () => of(encodeURIComponent(any(list))));
    const loinc = (code) => `http://loinc.org%7C${code}`;
    return {
        'metadata': ['metadata'],
        'Observation': ['Observation?_count=10'],
        'Observation _total': ['Observation?_count=1&_total=accurate'],
        'Observation code (none)': [`Observation?code=${loinc('8480-6')}&_count=1&_total=accurate`],
        'Observation combo-code': [`Observation?combo-code=${loinc('8480-6')}&_count=1&_total=accurate`],
        'Patient gender _total': ['Patient?gender=male&_count=5&_total=accurate'],
        'Patient family=S': ['Patient?family=S&_count=5'],
        'Patient given=A': ['Patient?given=A&_count=5'],
        'Patient gender, family': ['Patient?gender=female&family=B&_count=5'],
        'Observation code 8302-2 _total': [`Observation?code=${loinc('8302-2')}&_count=5&_total=accurate`],
        'Observation code 29463-7 _total': [`Observation?code=${loinc('29463-7')}&_count=5&_total=accurate`],
        'Observation code 72514-3 _total': [`Observation?code=${loinc('72514-3')}&_count=5&_total=accurate`],
        'Observation date': ['Observation?date=ge2020-01-01&_count=5'],
        'Patient/id': each(ids, (id) => `Patient/${id}`),
        'Patient family (sampled)': each(family, (f) => `Patient?family=${f}&_count=5`),
        'Observation patient': each(ids, (id) => `Observation?patient=Patient/${id}&_count=20`),
        'Condition patient': each(ids, (id) => `Condition?patient=Patient/${id}`),
        'Condition code': each(condition, (c) => `Condition?code=${c}&_count=5`),
        'Procedure code': each(procedure, (c) => `Procedure?code=${c}&_count=5`),
        'Encounter patient': each(ids, (id) => `Encounter?patient=Patient/${id}&_count=10`),
        'MedicationRequest patient': each(ids, (id) => `MedicationRequest?patient=Patient/${id}&_count=10`),
        'Encounter participant': each(practitioner, (id) => `Encounter?participant=Practitioner/${id}&_count=10`),
        'Encounter location': each(location, (id) => `Encounter?location=Location/${id}&_count=10`),
        'Patient _content': ['Patient?_content=Smith&_count=5'],
        'Observation _content': ['Observation?_content=blood&_count=5'],
        'Condition _content': ['Condition?_content=hypertension&_count=5'],
        'Patient name:text': ['Patient?name:text=ohn&_count=5'],
        'Patient address:text': ['Patient?address:text=Boston&_count=5'],
        'Patient _text': ['Patient?_text=Smith&_count=5'],
        'Condition code:text': ['Condition?code:text=hypertensive&_count=5'],
    };
}

const growth = {};
for (const n of sizes) {
    await ingest(n);
    await crud(n);
    for (const [name, paths] of Object.entries(await searches())) {
        const r = run(CLIENTS, seconds, 'search', paths.map((p) => `/fhir/${p}`));
        (growth[name] ??= []).push({ n, p50: r.p50_us, cpu: r.cpu_us });
        say('W1', `${name} at ${n}`, r);
    }
}
for (const [name, g] of Object.entries(growth)) {
    const slope = (what) => (g.length > 1 ? Math.log(g.at(-1)[what] / g[0][what]) / Math.log(g.at(-1).n / g[0].n) : NaN);
    results.push({ workload: 'W1', name, slope: slope('p50'), slope_cpu: slope('cpu') });
    console.log(`W1 ${name.padEnd(40)} slope ${slope('p50').toFixed(2)}, of CPU ${slope('cpu').toFixed(2)}`);
}

// ---- W2 ----------------------------------------------------------------------------------------------------------

const NINE = ['Patient', 'Location', 'Organization', 'Practitioner', 'Encounter', 'Observation', 'MedicationRequest', 'Claim', 'ExplanationOfBenefit'];
const some = {};
for (const type of NINE) some[type] = (await search(`/fhir/${type}?_count=200`, 200)).map(({ id, meta, ...r }) => r);
const own = (i) => Array.from({ length: 400 }, (_, k) => NINE.map((type) => [type, `w2-${i}-${k}-${type}`, some[type].length && any(some[type])])).flat().filter(([, , r]) => r);
const set = own(0);
for (const [verb, line] of [
    ['create', ([type, id, r]) => `PUT /fhir/${type}/${id} ${JSON.stringify({ ...r, id })}`],
    ['read', ([type, id]) => `GET /fhir/${type}/${id}`],
    ['update', ([type, id, r]) => `PUT /fhir/${type}/${id} ${JSON.stringify({ ...r, id, language: 'en' })}`],
    ['delete', ([type, id]) => `DELETE /fhir/${type}/${id}`],
]) say('W2', `${verb} nine types, 300 clients`, run(300, 60, verb, set.map(line), '--post', '*', '--once', 'yes'));
const KINDS = {
    string: ['Patient?name=NON-EXISTS', 'Patient?name=Smith', 'Patient?name:contains=an', 'Patient?address=Boston', 'Patient?address:contains=ton', 'Organization?name=HOSPITAL', 'Organization?name:contains=CARE'],
    date: ['', 'eq', 'lt', 'gt', 'ge', 'le', 'sa', 'eb'].flatMap((p) => ['1998-04-10', '2013', '2070-01-01'].flatMap((v) => [`Patient?birthdate=${p}${v}`, `Observation?date=${p}${v}`, `Encounter?date=${p}${v}`])),
    token: ['Observation?category=laboratory', 'Observation?category=vital-signs,survey', 'Observation?code=8302-2', 'Observation?code=http://loinc.org%7C8480-6', 'Observation?code=718-7,39156-5,2-2', 'Encounter?status=finished', 'Encounter?class=AMB,EMER', 'Encounter?class=missing'],
    quantity: ['', 'eq', 'lt', 'gt', 'ge', 'le'].flatMap((p) => ['99999', '170', '80', '30'].flatMap((v) => [`Observation?value-quantity=${p}${v}`, `Observation?component-value-quantity=${p}${v}`, `Observation?combo-value-quantity=${p}${v}`])),
    composite: ['Observation?code-value-quantity=8867-4$gt100', 'Observation?code-value-quantity=8302-2$gt170', 'Observation?code-value-quantity=29463-7$lt5', 'Observation?component-code-value-quantity=8480-6$gt140', 'Observation?component-code-value-quantity=8462-4$lt60', 'Observation?combo-code-value-quantity=8480-6$ge180', 'Observation?code-value-quantity=no-such$gt0'],
    reference: some.Observation.slice(0, 50).flatMap((o) => [`Observation?subject=${o.subject.reference}`, `Encounter?subject=${o.subject.reference}`, `MedicationRequest?subject=${o.subject.reference}`, o.encounter && `Observation?encounter=${o.encounter.reference}`].filter(Boolean)),
};
for (const [kind, paths] of Object.entries(KINDS)) say('W2', `search by ${kind}, 30 clients`, run(30, seconds, kind, paths.map((p) => `/fhir/${p}&_count=20`)));

// ---- W3 ----------------------------------------------------------------------------------------------------------

const pair = () => JSON.stringify({
    resourceType: 'Bundle', type: 'transaction',
    entry: [
        { fullUrl: 'urn:uuid:7b3f0f5e-7a1e-4a52-9d4b-000000000001', resource: { resourceType: 'Patient', gender: 'male', birthDate: `${1920 + Math.floor(Math.random() * 100)}-05-06` }, request: { method: 'POST', url: 'Patient' } },
        { resource: { resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'http://loinc.org', code: '8480-6' }] }, subject: { reference: 'urn:uuid:7b3f0f5e-7a1e-4a52-9d4b-000000000001' }, valueQuantity: { value: 90 + Math.floor(Math.random() * 80), unit: 'mm[Hg]', system: 'http://unitsofmeasure.org', code: 'mm[Hg]' } }, request: { method: 'POST', url: 'Observation' } },
    ],
});
const pairs = Array.from({ length: 5000 }, pair);
for (let clients = 1; clients <= 128; clients *= 2) say('W3', `transaction of two, ${clients} clients`, run(clients, seconds, 'pairs', pairs, '--post', '/fhir'));
const birth = Array.from({ length: 80 }, (_, i) => `/fhir/Patient?birthdate=gt${1930 + i}-01-01`);
for (const rate of [500, 1000, 2000]) say('W3', `first page of a search, open loop, ${rate}/s due`, run(CLIENTS, 5, 'open', birth, '--rate', String(rate)));

// ---- What it took ------------------------------------------------------------------------------------------------

const bytes = (path) => { try { return statSync(join(dir, path)).size; } catch { return 0; } };
const count = async (type) => (await get(`/fhir/${type}?_summary=count`)).total;
const total = (await Promise.all(['Patient', 'Observation', 'Condition', 'Encounter', 'MedicationRequest', 'Procedure', 'Claim', 'ExplanationOfBenefit', 'Immunization', 'DiagnosticReport', 'CarePlan', 'CareTeam', 'Goal', 'Organization', 'Practitioner', 'Location', 'AllergyIntolerance', 'ImagingStudy', 'Device'].map(count))).reduce((a, b) => a + b, 0);
console.log(`${total} resources; ${store ? '' : `log.db ${bytes('log.db')}, index.db ${bytes('index.db')} bytes: ${Math.round((bytes('log.db') + bytes('index.db')) / total)} a resource (every version counted to what lives); `}`
    + `${anonymous(serving.child.pid).toFixed(0)} MiB anonymous, ${cpu(serving.child.pid).toFixed(0)} s of CPU`);
writeFileSync(join(dir, 'fhir.json'), JSON.stringify(results, null, 1));
serving.child.kill('SIGTERM');
await new Promise((resolve) => serving.child.once('exit', resolve));
process.exit(0);
