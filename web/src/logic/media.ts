/** Which viewer draws an attachment. The kind comes from the form's hint, the content type and the name; bytes decide last. */
import type { Attachment } from './fhir.ts';

export type MediaKind = 'ecg' | 'image' | 'pdf' | 'unknown';

const ECG_TYPES = ['application/x-scp-ecg', 'application/vnd.scp-ecg', 'application/x-wfdb', 'application/vnd.hl7.aecg+xml', 'application/x-hl7-aecg+xml', 'application/dicom'];
const ECG_NAMES = /\.(scp|hea|dat|atr|xyz|aecg|dcm)$/i;
const TYPES_BY_NAME: Record<string, string> = {
  scp: 'application/x-scp-ecg', hea: 'application/x-wfdb', dat: 'application/x-wfdb', xyz: 'application/x-wfdb', atr: 'application/x-wfdb',
  zip: 'application/zip', xml: 'application/xml', aecg: 'application/vnd.hl7.aecg+xml', dcm: 'application/dicom', pdf: 'application/pdf', jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png',
};

export function mediaTypeOf(name: string, given: string): string {
  const byName = TYPES_BY_NAME[name.toLowerCase().split('.').pop() ?? ''];
  return byName ?? (given || 'application/octet-stream');
}

export function mediaKindOf(attachment: Attachment, hint?: string): MediaKind {
  const type = (attachment.contentType ?? '').toLowerCase();
  if (type.startsWith('image/')) return 'image';
  if (type === 'application/pdf') return 'pdf';
  if (hint === 'ecg' || ECG_TYPES.includes(type) || type.includes('ecg')) return 'ecg';
  return ECG_NAMES.test(attachment.title ?? attachment.url ?? '') ? 'ecg' : 'unknown';
}

/** What one drawing shows: the files of a recording belong together, an image or a page stands alone. */
export interface Medium { key: string; kind: MediaKind; title: string; files: Attachment[]; at?: string }

/** Files of one answer list: a record of several files is one medium, each other file its own. */
export function mediaOf(files: Attachment[], hint?: string, at?: string): Medium[] {
  const media: Medium[] = [];
  const parts: Attachment[] = [];
  for (const file of files) {
    const kind = mediaKindOf(file, hint);
    if (/\.(hea|dat|atr|xyz)$/i.test(file.title ?? '')) parts.push(file);
    else media.push({ key: file.url ?? file.title ?? '', kind, title: file.title ?? file.url ?? '', files: [file], at: at ?? file.creation });
  }
  if (parts.length > 0) {
    const head = parts.find((f) => /\.hea$/i.test(f.title ?? '')) ?? parts[0];
    media.push({ key: head.url ?? '', kind: 'ecg', title: head.title ?? '', files: [head, ...parts.filter((f) => f !== head)], at: at ?? head.creation });
  }
  return media;
}

/** Address of the samples: the header first, its sisters named as the header calls them; of a part where one is asked for. */
export function samplesPath(medium: Medium, part: Record<string, number> = {}): string | undefined {
  const id = medium.files[0]?.url?.match(/Binary\/([A-Za-z0-9.-]+)/)?.[1];
  if (!id) return undefined;
  const sisters = medium.files.length > 1 ? medium.files : [];
  const query = [
    ...sisters.map((f) => `file=${encodeURIComponent(`${f.title}=${f.url?.match(/Binary\/[A-Za-z0-9.-]+/)?.[0] ?? ''}`)}`),
    ...Object.entries(part).map(([name, value]) => `${name}=${value}`),
  ];
  return `/fhir/Binary/${id}/$ecg${query.length > 0 ? `?${query.join('&')}` : ''}`;
}
