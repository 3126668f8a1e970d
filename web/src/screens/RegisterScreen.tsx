/**
 * Register a resident. The card's number is checked as it is typed and fills birth date and sex; who has no card (newborn,
 * foreigner, unknown) is registered as such; likely duplicates stand beside the form before anything is saved.
 */
import { useEffect, useMemo, useRef, useState } from 'react';
import { Alert, Button, Checkbox, Input, Radio } from 'antd';
import { useTranslation } from 'react-i18next';
import { useQuery } from '@tanstack/react-query';
import { ApiError, IntentKey, call } from '../api/http.ts';
import { serverNow, type User } from '../api/session.ts';
import { go } from '../app/route.ts';
import { SaveNote, useAgeText, useErrorText, useHotkey, type SaveState } from '../app/parts.tsx';
import { dayText, timeText } from '../logic/clock.ts';
import { ID_CARD, identifierValue, nameText, phoneOf, type Patient } from '../logic/fhir.ts';
import { PROVINCES, readIdCard, type IdCardReading } from '../logic/idcard.ts';
import { EMPTY_REGISTRATION, faultsOf, patientOf, type DocumentKind, type Registration, type RegistrationFault } from '../logic/register.ts';
import { wantedOf } from '../logic/search.ts';
import { matchPatients, useDelayed, type Match } from './usePatientSearch.ts';
import { GenderText } from './FindScreen.tsx';

/** The server's rule that a birth date which is not the card's needs its reason. */
const CONTRADICTS = 'card-contradicts';
const KINDS: DocumentKind[] = ['card', 'birth', 'newborn', 'passport', 'permit', 'unknown'];

function firstValues(text: string): Registration {
  const wanted = wantedOf(text);
  if (wanted.kind === 'card') return { ...EMPTY_REGISTRATION, number: wanted.value };
  if (wanted.kind === 'phone') return { ...EMPTY_REGISTRATION, phone: wanted.value };
  if (wanted.kind === 'name') return { ...EMPTY_REGISTRATION, name: wanted.value };
  return EMPTY_REGISTRATION;
}

function CardNote({ reading }: { reading: IdCardReading }) {
  const { t, i18n } = useTranslation();
  if (!reading.number) return null;
  const province = PROVINCES[reading.province ?? '']?.[i18n.language === 'en' ? 1 : 0];
  const counted = t('register.digits', { n: reading.number.length });
  if (reading.fault) {
    const soft = reading.fault === 'length' && reading.number.length < 18;
    return <div className={soft ? 'q-help' : 'q-error'} role={soft ? undefined : 'alert'}>{soft ? counted : t(`card.${reading.fault}`)}{province && ` · ${province}`}</div>;
  }
  return <div className="card-good">✓ {t('card.good')} · {province} {reading.region} · {reading.birthDate} · <GenderText code={reading.gender} /></div>;
}

function useDuplicates(draft: Registration) {
  const settled = useDelayed(draft, 350);
  const ready = (settled.kind === 'card' && settled.number.length === 18) || ([...settled.name].length >= 2 && Boolean(settled.birthDate || settled.phone));
  const like = useMemo(() => {
    const { managingOrganization: _own, contact: _contact, ...rest } = patientOf(settled, undefined);
    return rest as Patient;
  }, [settled]);
  return useQuery({
    queryKey: ['Patient', '$match', 'duplicates', JSON.stringify(like)],
    queryFn: ({ signal }) => matchPatients(like, 5, signal),
    enabled: ready && settled.kind !== 'unknown',
    retry: false,
  });
}

function Duplicate({ match }: { match: Match }) {
  const { t } = useTranslation();
  const age = useAgeText();
  const { patient } = match;
  const label = match.grade ?? (match.score === undefined ? '' : match.score.toFixed(2));
  return (
    <li className={match.grade === 'certain' ? 'duplicate duplicate-certain' : 'duplicate'}>
      <b>{nameText(patient.name)}</b> <GenderText code={patient.gender} /> {age(patient)} {patient.birthDate}
      <div>{identifierValue(patient, ID_CARD) ?? patient.identifier?.[0]?.value} {phoneOf(patient)}</div>
      <div>{patient.address?.[0]?.text ?? patient.address?.[0]?.district}</div>
      <div className="duplicate-foot">
        <span>{t(`grade.${label}`, { defaultValue: label })}</span>
        {!match.masked && patient.id && <Button size="small" onClick={() => go({ screen: 'patient', patient: patient.id ?? '' })}>{t('register.open')}</Button>}
        {match.masked && <span className="q-help">{t('register.masked')}</span>}
      </div>
    </li>
  );
}

function Line({ label, fault, required, children }: { label: string; fault?: string; required?: boolean; children: React.ReactNode }) {
  return (
    <div className={fault ? 'q-field q-wrong' : 'q-field'}>
      <span className="q-label">{required && <span className="q-star" aria-hidden>*</span>}{label}</span>
      <div className="q-control">{children}</div>
      {fault && <div className="q-error" role="alert">{fault}</div>}
    </div>
  );
}

/** Enter goes to the next box; on the last one it saves. */
function nextBox(e: React.KeyboardEvent<HTMLElement>, save: () => void): void {
  const target = e.target as HTMLElement;
  if (e.key !== 'Enter' || target.tagName !== 'INPUT' || e.nativeEvent.isComposing) return;
  e.preventDefault();
  const boxes = [...e.currentTarget.querySelectorAll<HTMLInputElement>('input:not([type=radio]):not([type=checkbox]):not(:disabled)')];
  const next = boxes[boxes.indexOf(target as HTMLInputElement) + 1];
  if (next) next.focus(); else save();
}

export default function RegisterScreen({ text, user }: { text: string; user: User }) {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const [draft, setDraft] = useState<Registration>(() => firstValues(text));
  const [shown, setShown] = useState<RegistrationFault[]>([]);
  const [sure, setSure] = useState(false);
  const [asked, setAsked] = useState(false);
  const [save, setSave] = useState<SaveState>({ state: 'clean' });
  const intent = useRef(new IntentKey());
  const duplicates = useDuplicates(draft);
  const today = dayText(serverNow());
  const reading = readIdCard(draft.number, today);
  const change = (patch: Partial<Registration>) => { setDraft((d) => ({ ...d, ...patch })); setShown([]); setSave({ state: 'clean' }); };
  const why = asked && draft.kind === 'card' && draft.birthDate !== reading.birthDate;

  useEffect(() => {
    if (draft.kind !== 'card' || reading.fault || !reading.birthDate) return;
    if (draft.birthDate !== reading.birthDate || draft.gender !== reading.gender) change({ birthDate: reading.birthDate, gender: reading.gender ?? '', estimated: false });
  }, [draft.kind, draft.number]);

  const likely = (duplicates.data ?? []).filter((m) => m.grade !== 'certainly-not');
  const certain = likely.some((m) => m.grade === 'certain');
  const cardWrong = draft.kind === 'card' && draft.number !== '' && reading.fault !== undefined;
  const submit = async () => {
    const faults = faultsOf(draft);
    if (cardWrong && !faults.includes('number')) faults.push('number');
    if (why && !draft.differs.trim()) faults.push('differs');
    setShown(faults);
    if (faults.length > 0 || save.state === 'sending' || (likely.length > 0 && !sure)) return;
    const body = patientOf({ ...draft, number: draft.kind === 'card' ? reading.number : draft.number, differs: why ? draft.differs : '' }, user.organization);
    const own = body.identifier?.[0];
    setSave({ state: 'sending' });
    try {
      const made = await call<Patient>('/fhir/Patient', {
        method: 'POST', body, key: intent.current.keyFor(body), ifNoneExist: own ? `identifier=${encodeURIComponent(`${own.system}|${own.value}`)}` : undefined,
      });
      setSave({ state: 'county', at: timeText(new Date(serverNow()).toISOString(), true).slice(11) });
      const id = made.body?.id ?? /Patient\/([A-Za-z0-9.-]+)/.exec(made.location ?? '')?.[1];
      if (id) go({ screen: 'patient', patient: id });
    } catch (error) {
      if (error instanceof ApiError && error.refusal.rule === CONTRADICTS) setAsked(true);
      const unreached = error instanceof ApiError && error.status === 0;
      setSave(unreached ? { state: 'unreached' } : { state: 'denied', why: errorText(error) });
    }
  };
  useHotkey((e) => e.key === 'F8', () => void submit());

  const faultAt = (name: RegistrationFault) => (shown.includes(name) ? t(`register.fault-${name}`) : undefined);
  const numbered = ['card', 'birth', 'passport', 'permit'].includes(draft.kind);
  const contact = t(draft.kind === 'newborn' || draft.kind === 'birth' ? 'register.mother' : 'register.contact');
  return (
    <div className="screen register" onKeyDown={(e) => nextBox(e, () => void submit())}>
      <h2>{t('register.title')}</h2>
      <div className="register-cols">
        <div className="register-form">
          <Line label={t('register.kind')}>
            <Radio.Group size="small" aria-label={t('register.kind')} optionType="button" buttonStyle="solid" value={draft.kind} options={KINDS.map((k) => ({ value: k, label: t(`doc.${k}`) }))}
              onChange={(e) => change({ kind: e.target.value as DocumentKind, number: '', ...(e.target.value === 'unknown' ? { name: t('register.unknown-name') } : {}) })} />
          </Line>
          {numbered && (
            <Line label={t(`doc.${draft.kind}`)} required fault={cardWrong && shown.includes('number') ? t(`card.${reading.fault}`) : faultAt('number')}>
              <Input autoFocus value={draft.number} maxLength={24} onChange={(e) => change({ number: e.target.value })} aria-label={t(`doc.${draft.kind}`)} data-field="number" />
              {draft.kind === 'card' && <CardNote reading={reading} />}
            </Line>
          )}
          <Line label={t('col.name')} required fault={faultAt('name')}><Input value={draft.name} maxLength={60} onChange={(e) => change({ name: e.target.value })} aria-label={t('col.name')} data-field="name" /></Line>
          <Line label={t('col.gender')} required fault={faultAt('gender')}>
            <Radio.Group aria-label={t('col.gender')} optionType="button" buttonStyle="solid" value={draft.gender} onChange={(e) => change({ gender: e.target.value as string })} data-field="gender"
              options={['male', 'female', ...(draft.kind === 'card' ? [] : ['unknown'])].map((g) => ({ value: g, label: t(`gender.${g}`) }))} />
          </Line>
          <Line label={t('col.birth')} required={draft.kind !== 'unknown'} fault={faultAt('birthDate')}>
            <span className="birth">
              <Input value={draft.birthDate} placeholder="1960-01-31" maxLength={10} aria-label={t('col.birth')} data-field="birth" onChange={(e) => change({ birthDate: dashed(e.target.value) })} />
              {draft.kind !== 'card' && <Checkbox checked={draft.estimated} onChange={(e) => change({ estimated: e.target.checked })}>{t('register.estimated')}</Checkbox>}
            </span>
          </Line>
          {why && (
            <Line label={t('register.differs')} required fault={faultAt('differs')}>
              <Input autoFocus value={draft.differs} maxLength={200} placeholder={t('register.differs-hint')} onChange={(e) => change({ differs: e.target.value })} aria-label={t('register.differs')} data-field="differs" />
            </Line>
          )}
          <Line label={t('col.phone')} fault={faultAt('phone')}><Input value={draft.phone} maxLength={16} inputMode="tel" onChange={(e) => change({ phone: e.target.value })} aria-label={t('col.phone')} data-field="phone" /></Line>
          <Line label={t('register.address')}><Input value={draft.address} maxLength={120} placeholder={t('register.address-hint')} onChange={(e) => change({ address: e.target.value })} aria-label={t('register.address')} data-field="address" /></Line>
          <Line label={contact}>
            <span className="birth">
              <Input value={draft.contactName} maxLength={60} placeholder={t('col.name')} aria-label={`${contact} ${t('col.name')}`} onChange={(e) => change({ contactName: e.target.value })} />
              <Input value={draft.contactPhone} maxLength={16} placeholder={t('col.phone')} aria-label={`${contact} ${t('col.phone')}`} onChange={(e) => change({ contactPhone: e.target.value })} />
            </span>
          </Line>
          <div className="register-foot">
            <Button type="primary" loading={save.state === 'sending'} disabled={likely.length > 0 && !sure} onClick={() => void submit()} data-save>{t('register.save')}<kbd>F8</kbd></Button>
            <SaveNote save={save} />
          </div>
        </div>
        <aside className="register-side" aria-live="polite">
          {likely.length > 0 && (
            <>
              <Alert type={certain ? 'error' : 'warning'} showIcon message={t('register.duplicates', { n: likely.length })} />
              <ul className="duplicates">{likely.map((m, n) => <Duplicate key={m.patient.id ?? n} match={m} />)}</ul>
              <Checkbox checked={sure} onChange={(e) => setSure(e.target.checked)} data-sure>{t('register.another')}</Checkbox>
            </>
          )}
        </aside>
      </div>
    </div>
  );
}

/** 19600131 becomes 1960-01-31 while it is typed. */
function dashed(text: string): string {
  const digits = text.normalize('NFKC').replace(/\D/g, '').slice(0, 8);
  return [digits.slice(0, 4), digits.slice(4, 6), digits.slice(6, 8)].filter(Boolean).join('-');
}
