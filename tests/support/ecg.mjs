// Recordings as machines write them, made from samples that a test knows; independent of the readers under test.

/** One sample of a lead: a beat a second that differs from lead to lead, with a slow wave below it. Steps of 2.5 uV. */
export function sampleAt(lead, n, rate) {
    const t = (n % rate) / rate;
    const beat = 360 * Math.exp(-(((t - 0.4) / 0.012) ** 2)) + 70 * Math.exp(-(((t - 0.65) / 0.04) ** 2)) - 60 * Math.exp(-(((t - 0.43) / 0.012) ** 2));
    return Math.round(beat * (1 - (lead % 5) * 0.3) + 20 * Math.sin((6.2832 * n) / (rate * 7) + lead));
}

export function samplesOf(leads, rate, seconds) {
    return leads.map((_, k) => Int32Array.from({ length: rate * seconds }, (__, n) => sampleAt(k, n, rate)));
}

const sum16 = (samples) => samples.reduce((s, v) => (s + v) | 0, 0) << 16 >> 16;
const header = (name, leads, rate, samples, format, file, rest = '') => `${name} ${leads.length} ${rate} ${samples[0].length}${rest}\n${
    leads.map((lead, k) => `${file} ${format} 400/mV 12 0 ${samples[k][0]} ${sum16(samples[k])} 0 ${lead}`).join('\n')}\n`;

/** A WFDB record of format 16 as [name, bytes] pairs. */
export function wfdb(name, leads, { rate = 500, seconds = 10 } = {}) {
    const samples = samplesOf(leads, rate, seconds);
    const body = Buffer.alloc(samples[0].length * leads.length * 2);
    for (let n = 0; n < samples[0].length; n++) leads.forEach((_, k) => body.writeInt16LE(samples[k][n], (n * leads.length + k) * 2));
    return [[`${name}.hea`, Buffer.from(header(name, leads, rate, samples, 16, `${name}.dat`))], [`${name}.dat`, body]];
}

function pack212(samples) {
    const out = Buffer.alloc(samples[0].length * 3);
    for (let n = 0; n < samples[0].length; n++) {
        const x = samples[0][n] & 0xfff, y = samples[1][n] & 0xfff;
        out[n * 3] = x & 0xff;
        out[n * 3 + 1] = (x >> 8) | ((y >> 8) << 4);
        out[n * 3 + 2] = y & 0xff;
    }
    return out;
}

/** Two leads for so many hours in segments of format 212, with half an hour in the middle when nothing was recorded. */
export function holter({ rate = 128, segments = 3, hours = 8, leads = ['MLII', 'V5'] } = {}) {
    const minute = samplesOf(leads, rate, 60), times = hours * 60;
    const body = Buffer.concat(new Array(times).fill(pack212(minute)));
    const sums = minute.map((s) => Math.imul(sum16(s), times) << 16 >> 16);
    const frames = rate * 60 * times, gap = rate * 1800;
    const names = Array.from({ length: segments }, (_, i) => `day_${i + 1}`);
    const files = names.flatMap((name) => [
        [`${name}.hea`, Buffer.from(`${name} 2 ${rate} ${frames}\n${leads.map((lead, k) => `${name}.dat 212 400/mV 12 0 ${minute[k][0]} ${sums[k]} 0 ${lead}`).join('\n')}\n`)],
        [`${name}.dat`, body],
    ]);
    const total = frames * segments + gap;
    const lines = names.flatMap((name, i) => [`${name} ${frames}`, ...(i === 0 ? [`~ ${gap}`] : [])]);
    const master = `day/${lines.length} 2 ${rate} ${total} 08:00:00 22/11/2026\n${lines.join('\n')}\n`;
    /** The sample that was "recorded"; undefined in the gap. */
    const at = (lead, n) => {
        if (n >= frames && n < frames + gap) return undefined;
        return minute[lead][(n < frames ? n : n - frames - gap) % (rate * 60)];
    };
    return { files: [['day.hea', Buffer.from(master)], ...files], seconds: total / rate, total, frames, gap, rate, leads, at };
}

/** HL7 aECG of a rhythm. */
export function aecg(leads, samples, rate) {
    const one = (code, value) => `<component><sequence><code code="${code}"/>${value}</sequence></component>`;
    const lead = (name, k) => one(`MDC_ECG_LEAD_${name.toUpperCase()}`, '<value xsi:type="SLIST_PQ"><origin value="0" unit="uV"/>'
        + `<scale value="2.5" unit="uV"/><digits>${Array.from(samples[k]).join(' ')}</digits></value>`);
    return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>
<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><component><series><code code="RHYTHM"/>
<component><sequenceSet>${one('TIME_ABSOLUTE', `<value xsi:type="GLIST_TS"><head value="20261122080000+0800"/><increment value="${1 / rate}" unit="s"/></value>`)}
${leads.map(lead).join('\n')}</sequenceSet></component></series></component></AnnotatedECG>`);
}

const LONG = new Set(['OB', 'OW', 'SQ']);
function element(tag, vr, value) {
    let bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value), 'latin1');
    if (bytes.length % 2) bytes = Buffer.concat([bytes, Buffer.from(vr === 'UI' ? '\0' : ' ')]);
    const head = Buffer.alloc(LONG.has(vr) ? 12 : 8);
    head.writeUInt16LE(tag >>> 16, 0);
    head.writeUInt16LE(tag & 0xffff, 2);
    head.write(vr, 4, 'latin1');
    if (LONG.has(vr)) head.writeUInt32LE(bytes.length, 8);
    else head.writeUInt16LE(bytes.length, 6);
    return Buffer.concat([head, bytes]);
}
function sequence(tag, items) {
    const all = items.map((item) => {
        const head = Buffer.alloc(8);
        head.writeUInt32LE(0xe000fffe, 0);
        head.writeUInt32LE(item.length, 4);
        return Buffer.concat([head, item]);
    });
    return element(tag, 'SQ', Buffer.concat(all));
}
const u16 = (v) => Buffer.from([v & 0xff, v >> 8]);
const code = (tag, value, scheme) => sequence(tag, [Buffer.concat([element(0x00080100, 'SH', value), element(0x00080102, 'SH', scheme)])]);
const MDC = { I: 1, II: 2, V1: 3, V2: 4, V3: 5, V4: 6, V5: 7, V6: 8, III: 61, aVR: 62, aVL: 63, aVF: 64 };

/** A DICOM 12-lead ECG object in explicit little endian, of whatever standard leads are given. */
export function dicom(leads, samples, rate) {
    const data = Buffer.alloc(samples[0].length * leads.length * 2);
    for (let n = 0; n < samples[0].length; n++) leads.forEach((_, k) => data.writeInt16LE(samples[k][n], (n * leads.length + k) * 2));
    const count = Buffer.alloc(4);
    count.writeUInt32LE(samples[0].length);
    const channels = leads.map((lead) => Buffer.concat([
        code(0x003a0208, `2:${MDC[lead]}`, 'MDC'), element(0x003a0210, 'DS', '2.5'), code(0x003a0211, 'uV', 'UCUM'), element(0x003a0212, 'DS', '1'),
        element(0x003a0213, 'DS', '0'), element(0x003a021a, 'US', u16(16)),
    ]));
    const group = Buffer.concat([
        element(0x003a0004, 'CS', 'ORIGINAL'), element(0x003a0005, 'US', u16(leads.length)), element(0x003a0010, 'UL', count),
        element(0x003a001a, 'DS', String(rate)), sequence(0x003a0200, channels), element(0x54001004, 'US', u16(16)),
        element(0x54001006, 'CS', 'SS'), element(0x54001010, 'OW', data),
    ]);
    return Buffer.concat([
        Buffer.alloc(128), Buffer.from('DICM'), element(0x00020010, 'UI', '1.2.840.10008.1.2.1'),
        element(0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.9.1.1'), element(0x0008002a, 'DT', '20261122080000'), sequence(0x54000100, [group]),
    ]);
}
