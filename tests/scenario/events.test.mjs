// GET /events: the log as it happens, resumed without a gap, seen through each reader's eyes.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Server, patient } from '../support/menkou.mjs';

let server, bench;
before(async () => {
    server = await Server.start();
    bench = await server.login();
    for (const [id, name, parent] of [['county', '县医院'], ['east', '东乡卫生院', 'county'], ['west', '西乡卫生院', 'county']]) {
        await bench.put(`/fhir/Organization/${id}`, {
            resourceType: 'Organization', id, name, partOf: parent && { reference: `Organization/${parent}` },
        });
    }
    server.addUser('east', 'township-doctor', 'Organization/east');
    server.addUser('west', 'township-doctor', 'Organization/west');
});
after(() => server?.stop());

describe('events', () => {
    it('greets with a place to resume from, then tells of changes', async () => {
        const events = await bench.events();
        assert.equal(events.status, 200);
        assert.match(events.headers['content-type'], /^text\/event-stream/);
        const hello = await events.next();
        assert.equal(hello.event, 'clock');
        assert.ok(hello.data.now);
        const made = await bench.create(patient());
        const e = await events.next((x) => x.event === 'resource');
        assert.deepEqual(e.data, { type: 'Patient', id: made.id, versionId: '1', op: 'create' });
        assert.ok(Number(e.id) > Number(hello.id));
        await bench.put(`/fhir/Patient/${made.id}`, patient({ id: made.id, gender: 'male' }));
        assert.deepEqual((await events.next()).data, { type: 'Patient', id: made.id, versionId: '2', op: 'update' });
        await bench.delete(`/fhir/Patient/${made.id}`);
        assert.equal((await events.next()).data.op, 'delete');
        events.close();
    });

    it('resumes after Last-Event-ID without a gap', async () => {
        const first = await bench.events();
        const hello = await first.next();
        first.close();
        const made = [];
        for (let i = 0; i < 30; i++) made.push((await bench.create(patient())).id);
        const again = await bench.events(hello.id);
        for (const id of made) assert.equal((await again.next((x) => x.event === 'resource')).data.id, id);
        const live = (await bench.create(patient())).id;
        assert.equal((await again.next()).data.id, live);
        again.close();
    });

    it('a place that is not in the log is 410, a malformed one 400', async () => {
        for (const [id, status] of [[999999999, 410], ['x', 400]]) {
            const r = await bench.events(id);
            assert.equal(r.status, status);
            r.close();
        }
    });

    it('shows nobody what is out of sight', async () => {
        const [east, west] = [await server.login('east'), await server.login('west')];
        const [seesEast, seesWest] = [await east.events(), await west.events()];
        await seesEast.next();
        await seesWest.next();
        const mine = await east.create(patient());
        assert.equal((await seesEast.next()).data.id, mine.id);
        const theirs = await west.create(patient());
        const e = await seesWest.next((x) => x.event === 'resource');
        assert.equal(e.data.id, theirs.id, 'the first that west hears of is its own');
        for (const reader of [seesEast, seesWest]) reader.close();
    });

    it('an alert is one for whom it is addressed to, within a second, and a change for who else may see it', async () => {
        server.addUser('colleague', 'township-doctor', 'Organization/east');
        const people = {};
        for (const name of ['east', 'colleague', 'west']) {
            const person = await server.login(name);
            people[name] = { person, events: await person.events() };
            await people[name].events.next();
        }
        const { east, colleague, west } = people;
        const { id } = await east.person.create(patient());
        const alert = (recipient, system = 'urn:menkou:alert') => ({
            resourceType: 'Communication', status: 'in-progress', subject: { reference: `Patient/${id}` },
            category: [{ coding: [{ system, code: 'alert' }] }], recipient: [{ reference: recipient }],
        });
        const times = [];
        const kinds = async (resource) => {
            const began = Date.now();
            const made = await bench.create(resource);
            const mine = (e) => e.data?.id === made.id;
            const got = [await east.events.next(mine), await colleague.events.next(mine)];
            times.push(Date.now() - began);
            assert.deepEqual(got[0].data, { type: 'Communication', id: made.id, versionId: '1', op: 'create' });
            return got.map((e) => e.event);
        };
        assert.deepEqual(await kinds(alert('Organization/east')), ['alert', 'alert']);
        assert.deepEqual(await kinds(alert(east.person.user.practitioner)), ['alert', 'resource']);
        assert.deepEqual(await kinds(alert(colleague.person.user.roles[0].post)), ['resource', 'alert']);
        assert.deepEqual(await kinds(alert('Organization/west')), ['resource', 'resource']);
        assert.deepEqual(await kinds(alert('Organization/east', 'urn:menkou:notice')), ['resource', 'resource']);
        assert.ok(times.sort((a, b) => a - b)[2] < 1000, `within a second: ${times} ms`);
        await west.person.create(patient());
        const first = await west.events.next((e) => e.event !== 'clock');
        assert.equal(first.data.type, 'Patient', 'west heard of none of them');
        for (const { events } of Object.values(people)) events.close();
    });

    it('ends when the session does', async () => {
        const c = await server.login('east');
        const events = await c.events();
        await events.next();
        await c.post('/auth/logout');
        await events.closed;
        assert.equal((await c.events()).status, 401);
    });

    it('follows the person’s post: what it no longer covers is not sent', async () => {
        const c = await server.login('colleague');
        const events = await c.events();
        await events.next();
        const id = c.user.roles[0].post.split('/')[1];
        const post = (await bench.get(`/fhir/PractitionerRole/${id}`)).json;
        await bench.put(`/fhir/PractitionerRole/${id}`, { ...post, active: false });
        await events.closed;
        await bench.put(`/fhir/PractitionerRole/${id}`, post);
    });

    it('a stop of the server ends the stream', async () => {
        const events = await bench.events();
        await events.next();
        await server.restart('SIGTERM');
        await events.closed;
        bench = await server.login();
    });
});
