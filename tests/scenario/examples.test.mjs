// R4's official examples through the door: each valid one is kept, given back as it was, and given up again
// by history; the four that break R4 are refused with 422.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

const folder = join(process.env.MENKOU_SUITES ?? '', '02-fhir-r4-examples', 'instances');
const there = Boolean(process.env.MENKOU_SUITES) && existsSync(folder);
if (!there) console.error(`SKIPPED scenario/examples: no examples (MENKOU_SUITES=${process.env.MENKOU_SUITES ?? ''})`);
const skip = there ? false : 'SKIPPED: 02-fhir-r4-examples is not under $MENKOU_SUITES';

const AT_FAULT = ['DeviceMetric-example.json', 'MedicationRequest-medrx0301.json', 'Observation-clinical-gender.json',
    'Questionnaire-qs1.json'];

// Text with every number as it was written, without what the server sets.
function canonical(text) {
    const kept = text.replace(/("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g,
        (all, string, number) => string ?? JSON.stringify(`number ${number}`));
    const resource = JSON.parse(kept);
    const { versionId, lastUpdated, ...meta } = resource.meta ?? {};
    return JSON.stringify(sorted({ ...resource, meta: Object.keys(meta).length ? meta : undefined }));
}

function sorted(value) {
    if (Array.isArray(value)) return value.map(sorted);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

// Here and not in a hook: the harness registers its own end, which must belong to the whole file.
const { Server } = skip ? {} : await import('../support/menkou.mjs');

describe('the official examples', { skip }, () => {
    let server, bench;
    before(async () => {
        server = await Server.start();
        bench = await server.login();
    });
    after(() => server?.stop());

    it('PUT and GET give the same resource', async () => {
        const faults = [];
        let kept = 0;
        for (const name of readdirSync(folder).filter((f) => f.endsWith('.json'))) {
            const text = readFileSync(join(folder, name), 'utf8');
            const { resourceType, id } = JSON.parse(text);
            const place = `/fhir/${resourceType}/${id}`;
            const put = await bench.put(place, text);
            if (AT_FAULT.includes(name)) {
                if (put.status !== 422) faults.push(`${name}: ${put.status}, not 422`);
                continue;
            }
            // A Subscription's status is the server's to write: a second later it is another version.
            const version = resourceType === 'Subscription' ? `/_history/${put.headers.etag?.slice(3, -1)}` : '';
            const got = put.status < 300 ? await bench.get(place + version, { Accept: 'application/fhir+json' }) : put;
            if (got.status !== 200) faults.push(`${name}: ${got.status} ${got.text.slice(0, 300)}`);
            else if (canonical(got.text) !== canonical(text)) faults.push(`${name}: is not what was sent`);
            else kept += 1;
        }
        console.error(`R4 examples: ${kept} kept and given back`);
        assert.deepEqual(faults, []);
    });
});
