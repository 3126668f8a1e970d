/** What an administrator gives once more before something grave: the own password, and the code of a second factor. */
import { useState } from 'react';
import { Form, Input } from 'antd';
import { useTranslation } from 'react-i18next';
import { useSession } from '../api/queries.ts';
import { PasswordInput } from './inputs.tsx';
import { useErrorText } from './parts.tsx';

/** Password, and one-time code where there is a second factor. */
export function SecretFields() {
  const { t } = useTranslation();
  const factor = useSession().data?.secondFactor.on;
  const rules = [{ required: true, message: t('fault.required') }];
  return (
    <>
      <Form.Item name="password" label={t('secret.password')} rules={rules}><PasswordInput autoComplete="current-password" /></Form.Item>
      {factor && <Form.Item name="otp" label={t('secret.otp')} rules={rules}><Input autoComplete="one-time-code" inputMode="numeric" maxLength={14} /></Form.Item>}
    </>
  );
}

/** One thing sent at a time, and why it was refused. */
export function useSending(): { failed?: string; busy: boolean; run: (send: () => Promise<unknown>, then: () => void) => void } {
  const errorText = useErrorText();
  const [failed, setFailed] = useState<string>();
  const [busy, setBusy] = useState(false);
  const run = (send: () => Promise<unknown>, then: () => void) => {
    setBusy(true);
    setFailed(undefined);
    send().then(then, (error: unknown) => setFailed(errorText(error))).finally(() => setBusy(false));
  };
  return { failed, busy, run };
}
