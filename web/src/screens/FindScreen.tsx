/** Find a resident: one box, a list as the keys go down, arrow keys and Enter; those out of sight are shown masked. */
import { useEffect, useRef, useState } from 'react';
import { Button, Input, type InputRef } from 'antd';
import { SearchOutlined, UserAddOutlined } from '../app/icons.ts';
import { useTranslation } from 'react-i18next';
import { call } from '../api/http.ts';
import type { User } from '../api/session.ts';
import { serverNow } from '../api/session.ts';
import { go } from '../app/route.ts';
import { ClearIcon } from '../app/inputs.tsx';
import { Failed, useAgeText, useErrorText } from '../app/parts.tsx';
import { dateTimeOf } from '../logic/clock.ts';
import { ID_CARD, identifierValue, nameText, phoneOf, type Patient } from '../logic/fhir.ts';
import { BreakGlass } from './BreakGlass.tsx';
import { usePatientSearch, type Finding, type Match } from './usePatientSearch.ts';

export function GenderText({ code }: { code?: string }) {
  const { t } = useTranslation();
  return <>{code ? t(`gender.${code}`) : ''}</>;
}

/** Moves through a list by arrow keys; Enter opens. */
export function useListKeys(count: number, open: (n: number) => void) {
  const [at, setAt] = useState(0);
  useEffect(() => { setAt((n) => Math.min(n, Math.max(count - 1, 0))); }, [count]);
  const keys = (e: React.KeyboardEvent) => {
    if (e.nativeEvent.isComposing) return;
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      e.preventDefault();
      setAt((n) => Math.min(Math.max(n + (e.key === 'ArrowDown' ? 1 : -1), 0), Math.max(count - 1, 0)));
    } else if (e.key === 'Enter' && count > 0) {
      e.preventDefault();
      open(at);
    }
  };
  return { at, setAt, keys };
}

function Row({ patient, active, open }: { patient: Patient; active: boolean; open: () => void }) {
  const age = useAgeText();
  const row = useRef<HTMLTableRowElement>(null);
  useEffect(() => { if (active) row.current?.scrollIntoView({ block: 'nearest' }); }, [active]);
  return (
    <tr ref={row} className={active ? 'row row-on' : 'row'} onClick={open} aria-selected={active} data-patient={patient.id}>
      <td className="cell-name">{nameText(patient.name)}</td>
      <td><GenderText code={patient.gender} /></td>
      <td>{age(patient)}</td>
      <td>{patient.birthDate}</td>
      <td className="cell-number">{identifierValue(patient, ID_CARD) ?? patient.identifier?.[0]?.value}</td>
      <td className="cell-number">{phoneOf(patient)}</td>
      <td className="cell-address">{patient.address?.[0]?.text}</td>
    </tr>
  );
}

/** A visit registered here makes the relation that opens the chart; the server says so in its audit. */
function MaskedRow({ match, user }: { match: Match; user: User }) {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const [failed, setFailed] = useState<string>();
  const { patient } = match;
  const visit = async () => {
    setFailed(undefined);
    const encounter = {
      resourceType: 'Encounter', status: 'in-progress', class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
      subject: { reference: `Patient/${patient.id}` }, period: { start: dateTimeOf(serverNow()) },
      ...(user.organization ? { serviceProvider: { reference: user.organization } } : {}),
    };
    try {
      await call('/fhir/Encounter', { method: 'POST', body: encounter });
      go({ screen: 'patient', patient: patient.id ?? '' });
    } catch (error) {
      setFailed(errorText(error));
    }
  };
  return (
    <tr className="row row-masked">
      <td className="cell-name">{nameText(patient.name)}</td>
      <td><GenderText code={patient.gender} /></td>
      <td colSpan={2}>{patient.birthDate?.slice(0, 4)}</td>
      <td className="cell-number">{patient.identifier?.[0]?.value}</td>
      <td className="cell-address" colSpan={2}>
        {patient.address?.[0]?.text ?? patient.address?.[0]?.district ?? patient.managingOrganization?.display}
        {match.grade && <small> {t(`grade.${match.grade}`, { defaultValue: match.grade })}</small>}
        {patient.id && <Button size="small" className="visit" onClick={() => void visit()}>{t('find.visit')}</Button>}
        {patient.id && <BreakGlass patient={patient.id} opened={() => go({ screen: 'patient', patient: patient.id ?? '' })} />}
        {failed && <span className="q-error">{failed}</span>}
      </td>
    </tr>
  );
}

function Hints({ finding }: { finding: Finding }) {
  const { t } = useTranslation();
  if (finding.wanted.kind === 'nothing') return <p className="q-help">{t('find.how')}</p>;
  if (finding.wanted.kind === 'partial') return <p className="q-help">{t('find.partial')}</p>;
  if (finding.settled && finding.inSight.length === 0) return <p className="q-help">{t('find.none')}</p>;
  return null;
}

export function FindScreen({ text: first, user }: { text: string; user: User }) {
  const { t } = useTranslation();
  const [text, setText] = useState(first);
  const box = useRef<InputRef>(null);
  const finding = usePatientSearch(text);
  const open = (n: number) => {
    const patient = finding.inSight[n];
    if (patient?.id) go({ screen: 'patient', patient: patient.id });
  };
  const { at, setAt, keys } = useListKeys(finding.inSight.length, open);
  useEffect(() => { setText(first); box.current?.focus(); }, [first]);
  return (
    <div className="screen find">
      <div className="find-bar">
        <Input ref={box} size="large" prefix={<SearchOutlined />} value={text} allowClear={{ clearIcon: <ClearIcon /> }} autoFocus placeholder={t('find.placeholder')} aria-label={t('find.title')}
          onChange={(e) => { setText(e.target.value); setAt(0); }} onKeyDown={keys} data-find />
        <Button size="large" icon={<UserAddOutlined />} onClick={() => go({ screen: 'register', text })}>{t('register.title')}<kbd>F3</kbd></Button>
      </div>
      {finding.error ? <Failed error={finding.error} /> : <Hints finding={finding} />}
      {finding.inSight.length > 0 && (
        <table className={finding.searching ? 'grid grid-old' : 'grid'}>
          <thead><tr>{['name', 'gender', 'age', 'birth', 'card', 'phone', 'address'].map((c) => <th key={c}>{t(`col.${c}`)}</th>)}</tr></thead>
          <tbody>{finding.inSight.map((p, n) => <Row key={p.id} patient={p} active={n === at} open={() => open(n)} />)}</tbody>
        </table>
      )}
      {finding.elsewhere.length > 0 && (
        <>
          <h3 className="grid-title">{t('find.elsewhere')}</h3>
          <table className="grid"><tbody>{finding.elsewhere.map((m, n) => <MaskedRow key={m.patient.id ?? n} match={m} user={user} />)}</tbody></table>
        </>
      )}
    </div>
  );
}
