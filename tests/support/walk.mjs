// A walk through the screens of one county: what every browser test begins and ends with, and what several of them do.
import { after, before, test } from 'node:test';
import { County, RECORDING, noBrowser, openBrowser } from './browser.mjs';

/**
 * Registers the beginning and end of a file's walk: {county, browser, people, login(name, options), step(title, run)}. A
 * county of `options` (as County.start takes them, or a function that gives them) is served when the first step begins;
 * `begin(walk)` then lets people log in. A step that fails leaves a picture of every screen: build/failed-NAME.png.
 */
export function walk(options = {}, begin = async () => {}) {
    const w = { people: [] };
    w.login = async (username, more) => {
        const person = await w.county.login(w.browser, username, more);
        w.people.push(person);
        return person;
    };
    w.step = (title, run) => test(title, { skip: noBrowser }, async () => {
        try {
            await run();
        } catch (error) {
            for (const p of w.people) await p.picture(`failed-${p.username}`).catch(() => { /* its tab is closed */ });
            throw error;
        }
    });
    before(async () => {
        if (noBrowser) return;
        w.county = await County.start({ people: 60, ...(typeof options === 'function' ? options() : options) });
        w.browser = await openBrowser();
        await begin(w);
    });
    after(async () => {
        await w.browser?.close();
        await w.county?.stop();
    });
    return w;
}

/** At a township's screen: a recording is asked for and sent to be read. */
export async function sendRecording(person, patient, { reason, urgency }) {
    await person.chart(patient);
    await person.begin('远程心电诊断');
    await person.fill('reason', reason);
    await person.choose('urgency', urgency);
    await person.choose('consent', '口头同意');
    await person.send();
    await person.act('acquire');
    await person.field('recording').locator('input[type=file]').setInputFiles(RECORDING);
    await person.page.locator('.panel .files-row .save-county').first().waitFor();
    await person.send();
}
