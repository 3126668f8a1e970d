// Recordings over HTTP and on the command line: what the machines write comes back sample for sample, a recording of a
// day is answered window by window and in outline, and the server stays small meanwhile (contracts 1.5).
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { aecg, dicom, holter, samplesOf, wfdb } from '../support/ecg.mjs';
import { Server, menkou } from '../support/menkou.mjs';

const TWELVE = ['I', 'II', 'III', 'aVR', 'aVL', 'aVF', 'V1', 'V2', 'V3', 'V4', 'V5', 'V6'];
let server, bench;
before(async () => {
    server = await Server.start();
    bench = await server.login();
});
after(() => server?.stop());

async function upload(bytes) {
    const r = await bench.send('POST', '/fhir/Binary', { body: bytes, type: 'application/octet-stream' });
    assert.equal(r.status, 201, r.text);
    return r.json.id;
}
async function uploadAll(files) {
    const pairs = [];
    for (const [name, bytes] of files) pairs.push([name, await upload(bytes)]);
    return { id: pairs[0][1], query: pairs.map(([name, id]) => `file=${encodeURIComponent(`${name}=Binary/${id}`)}`).join('&') };
}
const part = (p, name) => p.part.find((x) => x.name === name);
const value = (parameters, name) => Object.values(parameters.parameter.find((p) => p.name === name) ?? {}).find((v) => v !== name);
const numbers = (p, name) => part(p, name).valueSampledData.data.split(' ').map((w) => (w === 'E' ? undefined : Number(w)));
function leads(parameters) {
    return parameters.parameter.filter((p) => p.name === 'leads').map((p) => ({
        name: part(p, 'name').valueString, first: part(p, 'first')?.valueInteger, total: part(p, 'total')?.valueInteger,
        samples: part(p, 'samples') && numbers(p, 'samples'), overview: part(p, 'overview') && numbers(p, 'overview'),
    }));
}
const ecg = async (id, query = '') => {
    const r = await bench.get(`/fhir/Binary/${id}/$ecg${query && `?${query}`}`);
    assert.equal(r.status, 200, r.text.slice(0, 400));
    return r.json;
};
const anonymousKiB = () => Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${server.process.pid}/status`, 'utf8'))[1]);

describe('one decoder for every format', () => {
    const samples = samplesOf(TWELVE, 500, 10);
    for (const [format, make] of [['HL7 aECG', aecg], ['DICOM', dicom]]) {
        it(`${format}: over HTTP and on the command line the samples are those that were written`, async () => {
            const bytes = make(TWELVE, samples, 500);
            const got = await ecg(await upload(bytes));
            assert.equal(value(got, 'format'), format);
            assert.equal(value(got, 'duration'), 10);
            assert.deepEqual(leads(got).map((l) => l.name), TWELVE);
            leads(got).forEach((l, k) => assert.deepEqual(l.samples, Array.from(samples[k])));
            const file = join(server.dir, `${format.replace(' ', '')}.bin`);
            writeFileSync(file, bytes);
            const csv = menkou('ecg', file, '--csv');
            assert.equal(csv.status, 0, csv.err);
            const rows = csv.out.trim().split('\n');
            assert.equal(rows[0], TWELVE.map((name) => `${name} (2.5 uV)`).join(','));
            assert.deepEqual(rows.slice(1), Array.from(samples[0], (_, n) => samples.map((s) => s[n]).join(',')));
        });
    }

    it('a damaged one is refused in words that name file, field and place', async () => {
        const bytes = Buffer.from(aecg(TWELVE, samples, 500).toString().replace('scale value="2.5"', 'scale value="-1"'));
        const r = await bench.get(`/fhir/Binary/${await upload(bytes)}/$ecg`);
        assert.equal(r.status, 422);
        assert.match(r.text, /HL7 aECG line 4, sequence 2 MDC_ECG_LEAD_I, scale/);
        const file = join(server.dir, 'cut.dcm');
        writeFileSync(file, dicom(TWELVE, samples, 500).subarray(0, 5000));
        const said = menkou('ecg', file);
        assert.equal(said.status, 1);
        assert.match(said.err, /cut\.dcm: DICOM .*\(5400,0100\), byte \d+: its length passes the end/);
    });

    it('fifteen leads are all there, of two leads the missing are named', async () => {
        const fifteen = await uploadAll(wfdb('frank', [...TWELVE, 'vx', 'vy', 'vz']));
        const all = await ecg(fifteen.id, fifteen.query);
        assert.equal(leads(all).length, 15);
        assert.equal(all.parameter.filter((p) => p.name === 'missing').length, 0);
        const two = await uploadAll(wfdb('two', ['MLII', 'V5']));
        const few = await ecg(two.id, two.query);
        assert.equal(few.parameter.filter((p) => p.name === 'missing').length, 11);
    });
});

describe('a recording of a day', () => {
    const day = holter();
    let files;
    before(async () => {
        files = await uploadAll(day.files);
    });
    const window = (start, duration, more = '') => ecg(files.id, `${files.query}&start=${start}&duration=${duration}${more}`);

    it('is answered window by window', async () => {
        const seam = day.frames / day.rate;
        for (const [start, duration] of [[0, 10], [3600.5, 20], [seam - 2, 4], [seam + 1798, 4], [day.seconds - 5, 10]]) {
            const got = await window(start, duration);
            assert.equal(value(got, 'duration'), day.seconds);
            const first = Math.floor(start * day.rate), end = Math.min(day.total, Math.floor((start + duration) * day.rate));
            leads(got).forEach((l, k) => {
                assert.equal(l.first, first);
                assert.equal(l.total, day.total);
                assert.deepEqual(l.samples, Array.from({ length: end - first }, (_, n) => day.at(k, first + n)));
            });
        }
    });

    it('gives one lead where one is asked for, and does not call the other missing', async () => {
        const got = await window(100, 1, '&leads=V5');
        assert.deepEqual(leads(got).map((l) => l.name), ['V5']);
        assert.ok(!got.parameter.some((p) => p.name === 'missing' && p.valueString === 'V5'));
    });

    it('is outlined from end to end, blank where nothing was recorded, in little memory', async () => {
        const before = anonymousKiB();
        const began = Date.now();
        const got = await ecg(files.id, `${files.query}&overview=980`);
        const [lead] = leads(got);
        assert.equal(lead.samples, undefined);
        assert.equal(lead.overview.length, 2 * 980);
        for (let k = 0; k < 980; k++) {
            const from = Math.floor((k * day.total) / 980), to = Math.floor(((k + 1) * day.total) / 980);
            const blank = from >= day.frames && to <= day.frames + day.gap;
            assert.equal(lead.overview[2 * k] === undefined, blank, `bucket ${k}`);
            if (!blank) assert.ok(lead.overview[2 * k + 1] > 200 && lead.overview[2 * k] < 0);
        }
        const grown = anonymousKiB() - before;
        console.log(`outline of ${day.total} × 2 samples: ${Date.now() - began} ms, ${grown} KiB more`);
        assert.ok(grown < 32 * 1024 || process.env.ASAN_OPTIONS !== undefined, `${grown} KiB`);
    });

    it('is not given whole, and a malformed window is refused', async () => {
        const whole = await bench.get(`/fhir/Binary/${files.id}/$ecg?${files.query}`);
        assert.equal(whole.status, 413);
        assert.match(whole.text, /start/);
        for (const [query, name] of [['start=-1', 'start'], ['duration=x', 'duration'], ['overview=0', 'overview'], ['overview=9999', 'overview'],
            ['start=1&duration=1&leads=V9', 'V9']]) {
            const r = await bench.get(`/fhir/Binary/${files.id}/$ecg?${files.query}&${query}`);
            assert.equal(r.status, 400, query);
            assert.match(r.text, new RegExp(name));
        }
    });

    it('one file too few is named', async () => {
        const r = await bench.get(`/fhir/Binary/${files.id}/$ecg?${files.query.split('&').filter((f) => !f.includes('day_2.dat')).join('&')}&overview=10`);
        assert.equal(r.status, 422);
        assert.match(r.text, /day_2\.dat/);
    });
});
