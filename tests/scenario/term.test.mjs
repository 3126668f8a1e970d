// Terminology over HTTP: what the public suite does not ask: addresses, instances, versions side by side, limits,
// circles, texts, the county's own code tables, who may ask, and that a write is seen at once.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Server, root } from '../support/menkou.mjs';
import { folder } from '../support/server.mjs';

const CS = 'http://county.test/cs/wards';
const VS = 'http://county.test/vs/';
const lists = join(process.env.MENKOU_SUITES ?? '/nonexistent', '11-codes-cn');
let server, bench;

const system = (version, concept, more) => ({ resourceType: 'CodeSystem', url: CS, version, name: 'Wards', status: 'active', content: 'complete', caseSensitive: true, concept, ...more });
const set = (name, compose, more) => ({ resourceType: 'ValueSet', url: VS + name, version: '1', name, status: 'active', compose, ...more });
const parameters = (...parameter) => ({ resourceType: 'Parameters', parameter });
const value = (r, name) => {
    const p = r.json.parameter.find((x) => x.name === name);
    return p && Object.entries(p).find(([k]) => k.startsWith('value') || k === 'resource')?.[1];
};
const codes = (r) => (r.json.expansion.contains ?? []).map((c) => c.code);
const message = (r) => r.json.issue[0].extension?.[0].valueString;
const q = (o) => new URLSearchParams(o).toString();
const expand = (name, more = {}, headers) => bench.get(`/fhir/ValueSet/$expand?${q({ url: VS + name, excludeNested: 'true', ...more })}`, headers);
const check = (name, more) => bench.get(`/fhir/ValueSet/$validate-code?${q({ url: VS + name, system: CS, ...more })}`);

before(async () => {
    server = await Server.start({ accounts: [['bench', 'integrator'], ['vd', 'village-doctor']] });
    bench = await server.login();
    const zh = (display, text) => ({ display, designation: [{ language: 'zh-CN', value: text }] });
    const made = [
        system('1.0.0', [{ code: 'in', ...zh('Inpatient', '住院'), concept: [{ code: 'med', ...zh('Medicine', '内科') }, { code: 'sur', ...zh('Surgery', '外科') }] }]),
        system('2.0.0', [{ code: 'med', display: 'Medical ward' }, { code: 'new', display: 'New ward' }]),
        { resourceType: 'CodeSystem', url: 'http://county.test/cs/many', version: '1', name: 'Many', status: 'active', content: 'complete',
            concept: Array.from({ length: 1500 }, (_, i) => ({ code: `c${i}`, display: `Code ${i}` })) },
        set('all', { include: [{ system: CS }] }),
        set('first', { include: [{ system: CS, version: '1.0.0' }] }),
        set('two', { include: [{ system: CS, version: '1.0.0' }, { system: CS, version: '2.0.0' }] }),
        set('less', { include: [{ system: CS, version: '1.0.0' }], exclude: [{ system: CS, version: '1.0.0', concept: [{ code: 'sur' }] }] }),
        set('none', { include: [{ valueSet: [`${VS}first`] }], exclude: [{ valueSet: [`${VS}first`] }] }),
        set('many', { include: [{ system: 'http://county.test/cs/many' }] }),
        set('ring-a', { include: [{ valueSet: [`${VS}ring-b`] }] }),
        set('ring-b', { include: [{ valueSet: [`${VS}ring-a`] }] }),
        { resourceType: 'ConceptMap', url: 'http://county.test/map', version: '1', status: 'active',
            group: [{ source: CS, target: 'urn:t', element: [{ code: 'med', target: [{ code: 'M', equivalence: 'equal' }] }], unmapped: { mode: 'provided' } }] },
    ];
    for (const resource of made) {
        const r = await bench.post(`/fhir/${resource.resourceType}`, resource);
        assert.equal(r.status, 201, r.text);
    }
});
after(() => server?.stop());

describe('expansion', () => {
    it('takes the newest version, or the one that is named', async () => {
        assert.deepEqual(codes(await expand('all')), ['med', 'new']);
        assert.deepEqual(codes(await expand('first')), ['in', 'med', 'sur']);
        assert.deepEqual(codes(await expand('all', { 'system-version': `${CS}|1.0.0` })), ['in', 'med', 'sur']);
        assert.deepEqual(codes(await expand('first', { 'force-system-version': `${CS}|2.x.x` })), ['med', 'new']);
        assert.equal(message(await expand('first', { 'check-system-version': `${CS}|2.0.0` })), 'VALUESET_VERSION_CHECK');
    });
    it('tells versions apart when a value set has several', async () => {
        const r = await expand('two');
        assert.deepEqual(r.json.expansion.contains.map((c) => `${c.code}|${c.version}`), ['in|1.0.0', 'med|1.0.0', 'sur|1.0.0', 'med|2.0.0', 'new|2.0.0']);
    });
    it('takes away what is excluded', async () => {
        assert.deepEqual(codes(await expand('less')), ['in', 'med']);
        const none = await expand('none');
        assert.deepEqual([none.json.expansion.total, none.json.expansion.contains], [0, undefined]);
    });
    it('is a tree, a page, or what a text finds, in the language asked for', async () => {
        const tree = await expand('first', { excludeNested: 'false', displayLanguage: 'zh-CN' });
        assert.deepEqual(tree.json.expansion.contains[0].contains.map((c) => c.display), ['内科', '外科']);
        assert.deepEqual(codes(await expand('first', { count: '1', offset: '1' })), ['med']);
        assert.deepEqual(codes(await expand('first', { filter: '外' })), ['sur']);
        assert.deepEqual(codes(await expand('first', { filter: 'med' })), ['med']);
    });
    it('is refused when it is too long, unless a page is asked for', async () => {
        const r = await expand('many');
        assert.deepEqual([r.status, message(r), r.json.issue[0].code], [422, 'VALUESET_TOO_COSTLY', 'too-costly']);
        assert.deepEqual(codes(await expand('many', { count: '2', offset: '700' })), ['c700', 'c701']);
        assert.deepEqual(codes(await expand('many', { count: '2', offset: '1400' })), ['c1400', 'c1401']);
    });
    it('ends where value sets import each other', async () => {
        const r = await expand('ring-a');
        assert.deepEqual([r.status, message(r)], [400, 'VALUESET_CIRCULAR_REFERENCE']);
        assert.match(r.json.issue[0].details.text, /pathway \[http:\/\/county\.test\/vs\/ring-a\|1, http:\/\/county\.test\/vs\/ring-b\|1\]/);
    });
    it('of R4 and of a value set in the request', async () => {
        const r = await bench.get(`/fhir/ValueSet/$expand?${q({ url: 'http://hl7.org/fhir/ValueSet/administrative-gender' })}`);
        assert.deepEqual(codes(r), ['male', 'female', 'other', 'unknown']);
        const inline = set('x', { include: [{ system: CS, version: '1.0.0', filter: [{ property: 'concept', op: 'descendent-of', value: 'in' }] }] });
        assert.deepEqual(codes(await bench.post('/fhir/ValueSet/$expand', parameters({ name: 'valueSet', resource: inline }))), ['med', 'sur']);
        assert.deepEqual(codes(await bench.post('/fhir/ValueSet/$expand', inline)), ['med', 'sur']);
    });
    it('is R4 unless R5 is asked for', async () => {
        const url = '/fhir/ValueSet/$expand?' + q({ url: 'http://terminology.hl7.org/ValueSet/v3-ActCode', filter: 'ambulatory', property: 'definition' });
        const r4 = (await bench.get(url)).json.expansion;
        assert.equal(r4.property, undefined);
        assert.match(r4.contains[0].extension[0].url, /extension-ValueSet\.expansion\.contains\.property$/);
        const r5 = (await bench.get(url, { Accept: 'application/fhir+json; fhirVersion=5.0' })).json.expansion;
        assert.equal(r5.contains[0].property[0].code, 'definition');
        assert.equal(r5.property[0].code, 'definition');
    });
});

describe('validation', () => {
    it('finds a code in whichever version has it', async () => {
        assert.equal(value(await check('two', { code: 'new' }), 'result'), true);
        assert.equal(value(await check('two', { code: 'sur', systemVersion: '1.0.0' }), 'result'), true);
        assert.equal(value(await check('two', { code: 'sur', systemVersion: '2.0.0' }), 'result'), false);
    });
    it('says what is wrong in the language of the caller', async () => {
        const r = await bench.get(`/fhir/ValueSet/$validate-code?${q({ url: `${VS}first`, system: CS, code: 'med', display: '骨科' })}`, { 'Accept-Language': 'zh-CN' });
        assert.equal(value(r, 'result'), false);
        assert.match(value(r, 'message'), /名称“骨科”不对.*'内科' \(zh-CN\)/);
    });
    it('knows units by their grammar', async () => {
        const unit = (code) => bench.get(`/fhir/CodeSystem/$validate-code?${q({ url: 'http://unitsofmeasure.org', code })}`);
        assert.equal(value(await unit('mmol/L'), 'result'), true);
        assert.equal(value(await unit('mmol/Lx'), 'result'), false);
    });
    it('sees a write at once', async () => {
        const id = (await bench.get(`/fhir/CodeSystem?url=${encodeURIComponent(CS)}&version=2.0.0`)).json.entry[0].resource;
        assert.equal(value(await check('all', { code: 'more' }), 'result'), false);
        const r = await bench.put(`/fhir/CodeSystem/${id.id}`, { ...id, concept: [...id.concept, { code: 'more', display: 'More' }] });
        assert.equal(r.status, 200, r.text);
        assert.equal(value(await check('all', { code: 'more' }), 'result'), true);
    });
});

describe('what is kept', () => {
    const R5 = 'http://hl7.org/fhir/5.0/StructureDefinition/extension-';
    const put = async (resource) => {
        const r = await bench.put(`/fhir/${resource.resourceType}/${resource.id}`, resource);
        assert.ok(r.status < 300, r.text);
        return (await bench.get(`/fhir/${resource.resourceType}/${resource.id}`)).json;
    };
    it("R5's elements, in R4's form", async () => {
        const kept = await put({ ...system('5', [{ code: 'x', display: 'X', designation: [{ value: 'Ex', additionalUse: [{ code: 'a' }] }] }]),
            id: 'r5', url: 'urn:r5', versionAlgorithmCoding: { code: 'semver' }, copyrightLabel: '©',
            title: 'Five', 'title:de': 'Fünf', _title: { extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/translation', extension: [{ url: 'lang', valueCode: 'de' }, { url: 'content', valueString: 'Fünf' }] }] } });
        assert.deepEqual(kept.extension, [
            { url: `${R5}CodeSystem.versionAlgorithm`, valueCoding: { code: 'semver' } },
            { url: `${R5}CodeSystem.copyrightLabel`, valueString: '©' }]);
        assert.deepEqual(kept.concept[0].designation[0].extension, [{ url: `${R5}CodeSystem.concept.designation.additionalUse`, valueCoding: { code: 'a' } }]);
        assert.equal(kept['title:de'], undefined);
        assert.equal((await bench.post('/fhir/CodeSystem/$validate', kept)).status, 200);
    });
    it("R5's operators and relationships, and they work", async () => {
        await put({ ...set('kids', { include: [{ system: CS, version: '1.0.0', filter: [{ property: 'concept', op: 'child-of', value: 'in' }] }] }), id: 'kids' });
        assert.deepEqual(codes(await expand('kids')), ['med', 'sur']);
        const kept = await put({ resourceType: 'ConceptMap', id: 'five', url: 'urn:five', status: 'active', sourceScopeUri: 'urn:a', targetScopeUri: 'urn:b',
            group: [{ source: 'urn:a', target: 'urn:b', element: [{ code: '1', target: [{ code: 'one', relationship: 'source-is-broader-than-target' }] }, { code: '2', noMap: true }],
                unmapped: { mode: 'fixed', code: 'zero', relationship: 'not-related-to' } },
            { source: 'urn:a', target: 'urn:c', element: [{ code: '9', noMap: true }], unmapped: { mode: 'use-source-code' } }] });
        assert.deepEqual([kept.sourceUri, kept.targetUri], ['urn:a', 'urn:b']);
        assert.deepEqual(kept.group[0].element.map((e) => e.target[0].equivalence), ['specializes', 'unmatched']);
        const r = await bench.get(`/fhir/ConceptMap/$translate?${q({ url: 'urn:five', system: 'urn:a', code: '3' })}`);
        const found = r.json.parameter.filter((p) => p.name === 'match').map(({ part }) => [
            part.find((p) => p.name === 'equivalence').valueCode, part.find((p) => p.name === 'concept').valueCoding.code]);
        assert.deepEqual(found, [['disjoint', 'zero'], ['equal', '3']]);
    });
    it('nothing that neither has', async () => {
        const r = await bench.put('/fhir/CodeSystem/r6', { ...system('6', [{ code: 'x' }]), id: 'r6', url: 'urn:r6', wonder: true });
        assert.deepEqual([r.status, r.json.issue[0].expression[0]], [422, 'CodeSystem.wonder']);
    });
    it('earlier versions of one resource, for who names them', async () => {
        const wards = (version, ...list) => ({ ...system(version, list.map((code) => ({ code }))), id: 'moving', url: 'urn:moving' });
        const ask = async (more) => value(await bench.get(`/fhir/CodeSystem/$validate-code?${q({ url: 'urn:moving', code: 'old', ...more })}`), 'result');
        await put(wards('1.0', 'old'));
        await put(wards('2.0', 'new'));
        assert.equal(await ask({}), false, 'the newest counts');
        assert.equal(await ask({ version: '1.0' }), true);
        assert.equal(await ask({ version: '1.x' }), true);
        await put(wards('1.0', 'new'));
        assert.equal(await ask({ version: '1.0' }), false, 'what stands there now goes before what was');
        assert.equal(await ask({ version: '2.0' }), false, 'a version that was taken back is not there');
        assert.equal((await bench.delete('/fhir/CodeSystem/moving')).status, 204);
        assert.notEqual(await ask({ version: '1.0' }), true, 'nor anything of what was deleted');
    });
});

describe('Chinese code tables', () => {
    const codesOf = (name) => bench.get(`/fhir/ValueSet/$expand?${q({ url: `urn:menkou:values:${name}` })}`);
    it('of the health record are there from the start, in Chinese and English', async () => {
        assert.deepEqual(codes(await codesOf('marriage')), ['1', '2', '3', '4', '5']);
        assert.equal((await codesOf('ethnic-group')).json.expansion.total, 58);
        const r = await bench.get(`/fhir/CodeSystem/$lookup?${q({ system: 'urn:menkou:code:disease-history', code: '02', displayLanguage: 'en' })}`);
        assert.equal(value(r, 'display'), 'Hypertension');
        const zh = await bench.get(`/fhir/CodeSystem/$validate-code?${q({ url: 'urn:menkou:code:sex', code: '1', display: '女性' })}`);
        assert.equal(value(zh, 'result'), false);
    });
    it('of diseases and areas are made from published lists and imported', { skip: !existsSync(lists) && `SKIPPED: no ${lists}` }, async () => {
        const file = join(folder(), 'codes.ndjson');
        const made = spawnSync(process.execPath, [join(root, 'tools/make-codes.mjs'), '--icd10', join(lists, 'icd10/diseases.json'),
            '--areas', join(lists, 'division/pca-code.json'), '--out', file], { encoding: 'utf8' });
        assert.equal(made.status, 0, made.stderr);
        for (const line of readFileSync(file, 'utf8').trim().split('\n').map((l) => JSON.parse(l))) {
            const r = await bench.put(`/fhir/${line.resourceType}/${line.id}`, line);
            assert.equal(r.status, 201, r.text);
        }
        const icd = 'http://hl7.org/fhir/sid/icd-10';
        const found = await bench.get(`/fhir/ValueSet/$expand?${q({ url: 'urn:menkou:values:icd-10-zh', filter: '高血压', count: '50', excludeNested: 'true' })}`);
        assert.ok(codes(found).includes('I10'), found.text);
        const good = await bench.get(`/fhir/CodeSystem/$validate-code?${q({ url: icd, code: 'I10', display: '特发性(原发性)高血压' })}`);
        assert.equal(value(good, 'result'), true, good.text);
        const long = await bench.get(`/fhir/CodeSystem/$validate-code?${q({ url: icd, code: 'I10.x00' })}`);
        assert.deepEqual([value(long, 'result'), value(long, 'issues').issue[0].severity], [true, 'warning']);
        const in_ = await bench.get(`/fhir/CodeSystem/$subsumes?${q({ system: icd, codeA: 'I00-I99', codeB: 'I10' })}`);
        assert.equal(value(in_, 'outcome'), 'subsumes');
        const area = await bench.get(`/fhir/CodeSystem/$lookup?${q({ system: 'urn:menkou:code:gb-t-2260', code: '110101', property: 'parent' })}`);
        assert.equal(value(area, 'display'), '东城区');
        assert.match(area.text, /"valueCode":"110100"/);
    });
});

describe('the doors', () => {
    it('are open on one resource, by GET and by POST', async () => {
        const found = (await bench.get(`/fhir/ValueSet?url=${encodeURIComponent(`${VS}less`)}`)).json.entry[0].resource;
        assert.deepEqual(codes(await bench.get(`/fhir/ValueSet/${found.id}/$expand?excludeNested=true`)), ['in', 'med']);
        const r = await bench.post(`/fhir/ValueSet/${found.id}/$validate-code`, parameters({ name: 'coding', valueCoding: { system: CS, code: 'sur' } }));
        assert.equal(value(r, 'result'), false);
        assert.equal((await bench.get('/fhir/ValueSet/nothing/$expand')).status, 404);
    });
    it('look up, compare, translate', async () => {
        const r = await bench.get(`/fhir/CodeSystem/$lookup?${q({ system: CS, version: '1.0.0', code: 'med', property: 'parent' })}`);
        assert.deepEqual([value(r, 'name'), value(r, 'display')], ['Wards', 'Medicine']);
        const s = await bench.get(`/fhir/CodeSystem/$subsumes?${q({ system: CS, version: '1.0.0', codeA: 'med', codeB: 'in' })}`);
        assert.equal(value(s, 'outcome'), 'subsumed-by');
        const t = await bench.get(`/fhir/ConceptMap/$translate?${q({ system: CS, code: 'med', targetsystem: 'urn:t' })}`);
        assert.equal(value(t, 'result'), true);
        assert.equal(t.json.parameter.find((p) => p.name === 'match').part.find((p) => p.name === 'concept').valueCoding.code, 'M');
    });
    it('are entries of a batch, too', async () => {
        const entry = (method, url, resource) => ({ resource, request: { method, url } });
        const r = await bench.post('/fhir', { resourceType: 'Bundle', type: 'batch', entry: [
            entry('GET', `ValueSet/$expand?${q({ url: `${VS}less`, excludeNested: 'true' })}`),
            entry('POST', 'CodeSystem/$lookup', parameters({ name: 'system', valueUri: CS }, { name: 'code', valueCode: 'med' })),
            entry('POST', 'CodeSystem/$lookup', parameters({ name: 'system', valueUri: CS }, { name: 'code', valueCode: 'nothing' })),
        ] });
        assert.equal(r.status, 200, r.text);
        assert.deepEqual(r.json.entry.map((e) => e.response.status.slice(0, 3)), ['200', '200', '404']);
        assert.deepEqual(r.json.entry[0].resource.expansion.contains.map((c) => c.code), ['in', 'med']);
        assert.equal(r.json.entry[2].resource.issue[0].code, 'not-found');
    });
    it('are shut to strangers, and open to everybody who is logged in', async () => {
        const url = '/fhir/ValueSet/$expand?' + q({ url: `${VS}all` });
        assert.equal((await server.anonymous().get(url)).status, 401);
        assert.equal((await server.anonymous().post('/fhir/CodeSystem/$validate-code', parameters())).status, 401);
        const doctor = await server.login('vd');
        assert.equal((await doctor.get(url)).status, 200);
    });
    it('refuse what they do not understand', async () => {
        assert.equal((await bench.post('/fhir/ValueSet/$expand', { resourceType: 'Patient' })).status, 400);
        assert.equal((await bench.post('/fhir/ValueSet/$expand', '{"resourceType":')).status, 400);
        assert.equal((await bench.get('/fhir/ValueSet/$expand')).status, 400);
        assert.equal((await bench.get('/fhir/CodeSystem/$lookup?code=a')).status, 400);
        assert.equal((await expand('all', { count: '-1' })).status, 400);
        const bad = set('bad', { include: [{ system: CS, filter: [{ property: 'code', op: 'regex', value: '(' }] }] });
        assert.equal(message(await bench.post('/fhir/ValueSet/$expand', parameters({ name: 'valueSet', resource: bad }))), 'INVALID_REGEX');
    });
});
