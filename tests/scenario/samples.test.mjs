// Another server's published samples, judged by their names: what is called invalid is refused with an outcome and
// leaves no trace, every other bundle is answered entry by entry.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Server } from '../support/menkou.mjs';

const suite = process.env.MENKOU_SUITES && join(process.env.MENKOU_SUITES, '05b-ms-fhir-server-samples');
const skip = suite && existsSync(suite) ? false : 'SKIPPED the public samples: $MENKOU_SUITES has no 05b-ms-fhir-server-samples';
if (skip) console.log(skip);

// What the names do not say, and R4 does.
const REFUSED = {
    'Bundle-TransactionForRollBack': 404, // reads what is not there: the whole is undone
    'Bundle-TransactionWithMultipleEntriesModifyingSameResource': 400,
    'Bundle-TransactionWithMultipleResourcesWithSameFullUrl': 400,
    'Bundle-TypeMissing': 400,
    'Bundle-TransactionWithConditionalCreateAndReference': 422, // ImagingStudy without modality and sopClass
};
const BAD = /Bundle-\w*Invalid(?!EleEnums)|MissingIdentifier|MoneyWithWrongDecimal|PatientWithUnknownElements|SearchParameter\w*(Bad|Invalid|Missing)|^(Invalid|Observation\w*(Invalid|NoCode))|MissingResourceType/;
// Custom search parameters are compiled where they are kept; their faults are not of structure.
const LATER = ['SearchParameterBadSyntax', 'ObservationWithInvalidDecimalSpecification'];

let server, bench;
before(async () => {
    if (skip) return;
    server = await Server.start();
    bench = await server.login();
});
after(() => server?.stop());

const files = skip ? [] : ['Normative', 'R4'].flatMap((folder) => readdirSync(join(suite, folder))
    .filter((f) => f.endsWith('.json')).map((f) => [f.replace('.json', ''), join(suite, folder, f)]));
const state = async () => (await bench.get('/fhir/_history?_count=1')).json.entry?.[0]?.response.lastModified;

async function send(text) {
    const resource = JSON.parse(text.replace(/^\uFEFF/, ''));
    const path = resource.resourceType === 'Bundle' ? '/fhir' : `/fhir/${resource.resourceType ?? 'Patient'}`;
    return { resource, answer: await bench.post(path, text) };
}

async function refused(name, text, status) {
    const before = await state();
    const { answer } = await send(text);
    if (status) assert.equal(answer.status, status, answer.text);
    assert.ok(answer.status >= 400 && answer.status < 500, `${name}: ${answer.status}`);
    assert.equal(answer.json.resourceType, 'OperationOutcome');
    assert.ok(answer.json.issue.length > 0);
    assert.equal(await state(), before, 'nothing is left of it');
}

async function answered(text) {
    const { resource, answer } = await send(text);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.type, `${resource.type}-response`);
    assert.equal(answer.json.entry.length, resource.entry.length);
    for (const e of answer.json.entry) {
        assert.match(e.response.status, /^[2345]\d\d /);
        if (Number(e.response.status.slice(0, 3)) >= 400) assert.equal(e.response.outcome.resourceType, 'OperationOutcome');
    }
}

describe('samples', { skip }, () => {
    for (const [name, path] of files) {
        const text = readFileSync(path, 'utf8');
        if (REFUSED[name]) it(`${name} is refused`, () => refused(name, text, REFUSED[name]));
        else if (BAD.test(name) && !LATER.includes(name)) it(`${name} is refused`, () => refused(name, text));
        else if (name.startsWith('Bundle-')) it(`${name} is answered`, () => answered(text));
    }
});
