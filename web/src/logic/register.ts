/** The Patient resource of a registration, with typed identifiers and flags for what is not known. */
import { ID_CARD, type Identifier, type Patient } from './fhir.ts';

export type DocumentKind = 'card' | 'birth' | 'passport' | 'permit' | 'newborn' | 'unknown';

export interface Registration {
  kind: DocumentKind; number: string; name: string; gender: string; birthDate: string; estimated: boolean;
  /** Why the birth date is not the card's: asked when the server asks. */
  differs: string;
  phone: string; address: string; contactName: string; contactPhone: string; contactRelation: string;
}

/** The reason stands on the identifier, and so in the record (docs/decisions/032). */
export const CARD_DIFFERS = 'urn:menkou:card-differs';

/** Systems of identifiers that are not the ID card; v2-0203 where it has a type. */
const SYSTEMS: Partial<Record<DocumentKind, { system: string; code: string }>> = {
  card: { system: ID_CARD, code: 'NI' },
  birth: { system: 'urn:menkou:birth-certificate', code: 'BCT' },
  passport: { system: 'urn:menkou:passport', code: 'PPN' },
  permit: { system: 'urn:menkou:travel-permit', code: 'VS' },
};

export const EMPTY_REGISTRATION: Registration = {
  kind: 'card', number: '', name: '', gender: '', birthDate: '', estimated: false, differs: '', phone: '', address: '',
  contactName: '', contactPhone: '', contactRelation: '',
};

function identifierOf(r: Registration): Identifier | undefined {
  const typed = SYSTEMS[r.kind];
  if (!typed || !r.number) return undefined;
  return {
    use: 'official', system: typed.system, value: r.number.trim(),
    type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: typed.code }] },
    ...(r.kind === 'card' && r.differs.trim() ? { extension: [{ url: CARD_DIFFERS, valueString: r.differs.trim() }] } : {}),
  };
}

function contactOf(r: Registration): Patient['contact'] {
  if (!r.contactName && !r.contactPhone) return undefined;
  return [{
    ...(r.contactName ? { name: { text: r.contactName } } : {}),
    ...(r.contactPhone ? { telecom: [{ system: 'phone', value: r.contactPhone } as { value: string }] } : {}),
    ...(r.contactRelation ? { relationship: [{ text: r.contactRelation }] } : {}),
  }];
}

export function patientOf(r: Registration, organization: string | undefined): Patient {
  const identifier = identifierOf(r);
  const contact = contactOf(r);
  return {
    resourceType: 'Patient',
    active: true,
    ...(identifier ? { identifier: [identifier] } : {}),
    ...(r.name ? { name: [{ use: r.kind === 'unknown' || r.kind === 'newborn' ? 'temp' : 'official', text: r.name.trim(), ...splitName(r.name.trim()) }] } : {}),
    ...(r.phone ? { telecom: [{ system: 'phone', value: r.phone, use: 'mobile' }] } : {}),
    gender: r.gender || 'unknown',
    ...(r.birthDate ? { birthDate: r.estimated ? r.birthDate.slice(0, 4) : r.birthDate } : {}),
    ...(r.address ? { address: [{ use: 'home', text: r.address }] } : {}),
    ...(contact ? { contact } : {}),
    ...(organization ? { managingOrganization: { reference: organization } } : {}),
  } as Patient;
}

const DOUBLE = ['欧阳', '司马', '上官', '诸葛', '尉迟', '东方', '皇甫', '慕容', '令狐', '夏侯', '公孙', '轩辕', '宇文', '长孙', '司徒', '司空', '端木', '南宫', '独孤'];

/** Surname and given name of a Chinese name; other names stay whole. */
export function splitName(name: string): { family?: string; given?: string[] } {
  if (!/^[\p{Script=Han}·]{2,6}$/u.test(name) || name.includes('·')) return {};
  const chars = [...name];
  const n = chars.length > 2 && DOUBLE.includes(chars.slice(0, 2).join('')) ? 2 : 1;
  return { family: chars.slice(0, n).join(''), given: [chars.slice(n).join('')] };
}

export type RegistrationFault = 'number' | 'name' | 'gender' | 'birthDate' | 'phone' | 'differs';

export function faultsOf(r: Registration): RegistrationFault[] {
  const faults: RegistrationFault[] = [];
  if (SYSTEMS[r.kind] && !r.number.trim()) faults.push('number');
  if (!r.name.trim()) faults.push('name');
  if (!r.gender) faults.push('gender');
  if (!r.birthDate && r.kind !== 'unknown') faults.push('birthDate');
  if (r.phone && !/^(1\d{10}|0\d{2,3}-?\d{7,8})$/.test(r.phone.trim())) faults.push('phone');
  return faults;
}
