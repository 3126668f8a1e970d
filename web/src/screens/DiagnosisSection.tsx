/** The switch without which every drawn ECG says that it is not for diagnosis: who set it, when and why, and the changing of it. */
import { useState } from 'react';
import { Alert, Button, Descriptions, Form, Input, Tag } from 'antd';
import { useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { DIAGNOSIS, putDiagnosis, type Diagnosis, type Secret } from '../api/system.ts';
import { useDiagnosis } from '../api/queries.ts';
import { Failed, Waiting, useEscapeFirst, useFocusBack } from '../app/parts.tsx';
import { SecretFields, useSending } from '../app/Secret.tsx';
import { timeText } from '../logic/clock.ts';
import './accounts.css';

export const LABEL_WIDTH = '12rem';

type Fields = Secret & { person?: string; reason: string };

function ChangeForm({ on, close }: { on: boolean; close: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const { failed, busy, run } = useSending();
  const rules = [{ required: true, whitespace: true, message: t('fault.required') }];
  useFocusBack();
  useEscapeFirst(close);
  const send = (fields: Fields) => run(async () => client.setQueryData([DIAGNOSIS], await putDiagnosis({ ...fields, on })), close);
  return (
    <Form<Fields> layout="vertical" requiredMark={false} onFinish={send} className="narrow-form" data-diagnosis-form>
      {on && <Form.Item name="person" label={t('diagnosis.person')} rules={rules}><Input autoFocus autoComplete="off" maxLength={100} /></Form.Item>}
      <Form.Item name="reason" label={t('diagnosis.reason')} rules={[...rules, { min: 4, message: t('purge.reason-rule') }]}><Input.TextArea autoFocus={!on} autoSize={{ minRows: 1, maxRows: 4 }} maxLength={500} /></Form.Item>
      <SecretFields />
      {failed && <Alert type="error" showIcon message={failed} />}
      <div className="account-doings">
        <Button onClick={close}>{t('glass.close')}</Button>
        <Button type="primary" htmlType="submit" loading={busy} data-diagnosis-save>{t(on ? 'diagnosis.switch-on' : 'diagnosis.switch-off')}</Button>
      </div>
    </Form>
  );
}

function State({ now }: { now: Diagnosis }) {
  const { t } = useTranslation();
  const state = <Tag color={now.on ? 'green' : 'red'} data-diagnosis-state={now.on ? 'on' : 'off'}>{t(now.on ? 'diagnosis.is-on' : 'diagnosis.is-off')}</Tag>;
  return (
    <Descriptions column={1} size="small" bordered styles={{ label: { width: LABEL_WIDTH } }} items={[
      { key: 'state', label: t('index.col-state'), children: state },
      ...(now.on ? [{ key: 'who', label: t('diagnosis.who'), children: now.person }] : []),
      ...(now.at ? [
        { key: 'why', label: t('diagnosis.why'), children: now.reason },
        { key: 'when', label: t('diagnosis.when'), children: <span data-diagnosis-when>{t('diagnosis.by', { at: timeText(now.at), by: now.by })}</span> },
      ] : []),
    ]} />
  );
}

export function DiagnosisSection({ mayChange }: { mayChange: boolean }) {
  const { t } = useTranslation();
  const diagnosis = useDiagnosis();
  const [changing, setChanging] = useState(false);
  const now = diagnosis.data;
  return (
    <section aria-labelledby="diagnosis-title" data-diagnosis>
      <div className="worklist-head">
        <h3 id="diagnosis-title">{t('diagnosis.title')}</h3>
        <span className="q-help">{t('diagnosis.help')}</span>
        {now && mayChange && <Button size="small" disabled={changing} onClick={() => setChanging(true)} data-diagnosis-change>{t(now.on ? 'diagnosis.switch-off' : 'diagnosis.switch-on')}…</Button>}
      </div>
      {diagnosis.isError && <Failed error={diagnosis.error} again={() => void diagnosis.refetch()} />}
      {diagnosis.isPending && <Waiting />}
      {now && <State now={now} />}
      {now && changing && <ChangeForm on={!now.on} close={() => setChanging(false)} />}
    </section>
  );
}
