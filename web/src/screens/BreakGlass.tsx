/**
 * Opening a record in an emergency: a reason first, then the chart for a limited time. The banner says how long it stays open;
 * every opening is alerted, recorded and reviewed.
 */
import { useState } from 'react';
import { Button, Input, Select } from 'antd';
import { useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { GLASS_UNTIL } from '../api/glass.ts';
import { IntentKey, call } from '../api/http.ts';
import { useSearch } from '../api/queries.ts';
import type { User } from '../api/session.ts';
import { useErrorText, useNow } from '../app/parts.tsx';
import { clockOf, timeText } from '../logic/clock.ts';
import { extensionValue, type Resource } from '../logic/fhir.ts';

const REASONS = ['emergency', 'consultation', 'handover', 'other'];
const TEXT_MIN = 4;

interface FormProps { patient: string; extend: boolean; done: () => void; close: () => void }

function GlassForm({ patient, extend, done, close }: FormProps) {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const [intent] = useState(() => new IntentKey());
  const [reason, setReason] = useState(REASONS[0]);
  const [text, setText] = useState('');
  const [state, setState] = useState<{ busy?: boolean; failed?: string }>({});
  const send = async () => {
    setState({ busy: true });
    const body = { resourceType: 'Parameters', parameter: [
      { name: 'patient', valueReference: { reference: `Patient/${patient}` } }, { name: 'reason', valueCode: reason },
      { name: 'text', valueString: text.trim() }, ...(extend ? [{ name: 'extend', valueBoolean: true }] : []),
    ] };
    try {
      await call('/fhir/$break-glass', { method: 'POST', body, key: intent.keyFor(body) });
      done();
    } catch (error) {
      setState({ failed: errorText(error) });
    }
  };
  return (
    <span className="glass-form" data-glass-form onKeyDown={(e) => { if (e.key === 'Escape' && !e.defaultPrevented) close(); }}>
      <Select size="small" value={reason} onChange={setReason} aria-label={t('glass.reason')}
        options={REASONS.map((value) => ({ value, label: t(`glass.reason-${value}`) }))} />
      <Input size="small" value={text} maxLength={500} autoFocus placeholder={t('glass.text')} aria-label={t('glass.text')}
        onChange={(e) => setText(e.target.value)} />
      <Button size="small" danger type="primary" loading={state.busy} disabled={text.trim().length < TEXT_MIN} onClick={() => void send()} data-glass-send>{t('glass.send')}</Button>
      <Button size="small" onClick={close}>{t('glass.close')}</Button>
      <small>{t('glass.warning')}</small>
      {state.failed && <span className="q-error">{state.failed}</span>}
    </span>
  );
}

/** On the masked row of a resident out of sight. */
export function BreakGlass({ patient, opened }: { patient: string; opened: () => void }) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState<boolean>(); // false: was asked before, and the button has the focus again
  return asking
    ? <GlassForm patient={patient} extend={false} done={opened} close={() => setAsking(false)} />
    : <Button size="small" danger className="glass-open" autoFocus={asking === false} onClick={() => setAsking(true)} data-glass>{t('glass.open')}</Button>;
}

const untilOf = (record: Resource) => Date.parse(String(extensionValue(record, GLASS_UNTIL) ?? ''));

/** Over the chart while an opening of one's own lasts. */
export function GlassBanner({ patient, user }: { patient: string; user: User }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const now = useNow();
  const [asking, setAsking] = useState<boolean>();
  const query = user.practitioner && `category=urn:menkou:alert|break-glass&subject=Patient/${patient}&sender=${user.practitioner}&_sort=-sent&_count=10`;
  const found = useSearch<Resource>('Communication', query || undefined);
  const until = Math.max(0, ...(found.data ?? []).map(untilOf).filter((ms) => ms > now));
  if (!until) return null;
  const at = new Date(until).toISOString();
  const renewed = () => {
    setAsking(false);
    void client.invalidateQueries({ queryKey: ['Communication'] });
  };
  return (
    <section className="glass" role="alert" data-glass-banner>
      <b>{t('glass.banner')}</b>
      <span className="clock clock-near">{t('glass.left', { span: clockOf(at, undefined, now, { day: t('unit.day'), hour: t('unit.hour') }).text, at: timeText(at) })}</span>
      {asking ? <GlassForm patient={patient} extend done={renewed} close={() => setAsking(false)} />
        : <Button size="small" autoFocus={asking === false} onClick={() => setAsking(true)}>{t('glass.extend')}</Button>}
    </section>
  );
}
