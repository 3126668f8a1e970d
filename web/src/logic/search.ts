/** What a person typed to find a resident, as a search: pinyin, name, card or telephone, told apart by its characters. */
import { normalizeIdCard } from './idcard.ts';
import { ID_CARD, type Patient } from './fhir.ts';

export type Wanted =
  | { kind: 'nothing' }
  | { kind: 'partial' }
  | { kind: 'pinyin' | 'name' | 'card' | 'phone'; query: string; value: string };

const HAN = /[\p{Script=Han}]/u;

export function wantedOf(text: string): Wanted {
  const plain = text.normalize('NFKC').trim();
  if (!plain) return { kind: 'nothing' };
  const e = encodeURIComponent;
  const compact = normalizeIdCard(plain);
  if (/^\d{17}[\dX]$/.test(compact)) return { kind: 'card', value: compact, query: `identifier=${e(`${ID_CARD}|${compact}`)}` };
  const digits = plain.replace(/[\s-]/g, '');
  if (/^(1\d{10}|0\d{9,11})$/.test(digits)) return { kind: 'phone', value: digits, query: `phone=${e(digits)}` };
  if (/^\d+X?$/i.test(compact)) return { kind: 'partial' };
  if (HAN.test(plain)) return { kind: 'name', value: plain.replace(/\s/g, ''), query: `name=${e(plain.replace(/[\sa-z]/gi, ''))}` };
  const letters = plain.toLowerCase().replace(/[\s'’]/g, '');
  return { kind: 'pinyin', value: letters, query: `pinyin=${e(letters)}` };
}

/** The resident as far as the words say, to look for beyond one's own sight; undefined where they say too little. */
export function likenessOf(wanted: Wanted): Patient | undefined {
  switch (wanted.kind) {
    case 'card': return { resourceType: 'Patient', identifier: [{ system: ID_CARD, value: wanted.value }] };
    case 'phone': return { resourceType: 'Patient', telecom: [{ system: 'phone', value: wanted.value }] };
    case 'name': return [...wanted.value].length >= 2 ? { resourceType: 'Patient', name: [{ text: wanted.value }] } : undefined;
    default: return undefined;
  }
}
