/** Who this is, always in sight: identity, allergies in red, conditions. */
import { useTranslation } from 'react-i18next';
import { useSearch } from '../api/queries.ts';
import { useAgeText } from '../app/parts.tsx';
import { ID_CARD, conceptText, identifierValue, nameText, phoneOf, type Concept, type Patient, type Resource } from '../logic/fhir.ts';
import { GenderText } from './FindScreen.tsx';

interface Clinical extends Resource { code?: Concept; clinicalStatus?: Concept; reaction?: { manifestation?: Concept[] }[] }

function isOpen(r: Clinical): boolean {
  const code = r.clinicalStatus?.coding?.[0]?.code;
  return !code || !['inactive', 'resolved', 'remission'].includes(code);
}

function Allergies({ patient }: { patient: Patient }) {
  const { t } = useTranslation();
  const found = useSearch<Clinical>('AllergyIntolerance', `patient=Patient/${patient.id}&_count=50`);
  if (found.isError) return <span className="banner-allergy">{t('banner.allergy-unread')}</span>;
  const names = (found.data ?? []).filter(isOpen).map((a) => conceptText(a.code)).filter(Boolean);
  if (found.isPending) return null;
  if (names.length === 0) return <span className="banner-none">{t('banner.no-allergy')}</span>;
  return <span className="banner-allergy" role="note">{t('banner.allergy')} {names.join('、')}</span>;
}

function Conditions({ patient }: { patient: Patient }) {
  const { t } = useTranslation();
  const found = useSearch<Clinical>('Condition', `patient=Patient/${patient.id}&_count=50`);
  const names = [...new Set((found.data ?? []).filter(isOpen).map((c) => conceptText(c.code)).filter(Boolean))];
  if (names.length === 0) return null;
  return <span className="banner-conditions" title={names.join('、')}>{t('banner.conditions')} {names.slice(0, 4).join('、')}</span>;
}

export function PatientBanner({ patient }: { patient: Patient }) {
  const { t } = useTranslation();
  const age = useAgeText();
  const address = patient.address?.[0];
  return (
    <section className="banner" aria-label={t('banner.title')}>
      <strong className="banner-name">{nameText(patient.name)}</strong>
      <span><GenderText code={patient.gender} /> {age(patient)}</span>
      <span>{patient.birthDate}</span>
      <span className="cell-number">{identifierValue(patient, ID_CARD) ?? t('banner.no-card')}</span>
      <span className="cell-number">{phoneOf(patient)}</span>
      <span className="banner-address" title={address?.text}>{address?.text ?? address?.district}</span>
      <Allergies patient={patient} />
      <Conditions patient={patient} />
      {(patient.deceasedBoolean || patient.deceasedDateTime) && <span className="banner-dead">{t('banner.dead')}</span>}
    </section>
  );
}
