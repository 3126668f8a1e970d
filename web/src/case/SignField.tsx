/**
 * What is given again to sign with, above the send button: the password, or a code for those who have a second factor. Never
 * kept, optional unless the pathway demands it.
 */
import { useEffect, useRef } from 'react';
import { Button, Input, type InputRef } from 'antd';
import { useTranslation } from 'react-i18next';
import { PasswordInput } from '../app/inputs.tsx';
import type { ApiError } from '../api/http.ts';
import { useSession } from '../api/queries.ts';
import type { Secret } from './work.ts';

const RULES = ['password-needed', 'password-wrong', 'factor-wrong'];

export function isSecretRefusal(error: ApiError): boolean {
  return RULES.includes(error.refusal.rule ?? '');
}

interface Props { secret: Secret; fault: string; compulsory: boolean; disabled: boolean; change: (secret: Secret) => void }

export function SignField({ secret, fault, compulsory, disabled, change }: Props) {
  const { t } = useTranslation();
  const enrolled = useSession().data?.secondFactor.on === true;
  const input = useRef<InputRef>(null);
  useEffect(() => { if (fault) input.current?.focus(); }, [fault]);
  const code = secret.by === 'otp';
  const field = {
    id: `sign-${secret.by}`, ref: input, value: secret.value, disabled, required: compulsory, status: fault ? 'error' as const : undefined,
    'aria-invalid': Boolean(fault), 'aria-describedby': fault ? 'sign-fault' : undefined,
    onChange: (e: React.ChangeEvent<HTMLInputElement>) => change({ ...secret, value: code ? e.target.value.trim() : e.target.value }),
  };
  const swap = () => {
    change({ by: code ? 'password' : 'otp', value: '' });
    setTimeout(() => input.current?.focus(), 0);
  };
  return (
    <div className="panel-sign">
      <label htmlFor={`sign-${secret.by}`}>{t(`sign.${secret.by}${compulsory ? '' : '-optional'}`)}</label>
      {enrolled && <Button type="link" size="small" disabled={disabled} onClick={swap} data-sign-by>{t(code ? 'sign.use-password' : 'sign.use-otp')}</Button>}
      {code
        ? <Input key="otp" {...field} inputMode="numeric" autoComplete="one-time-code" maxLength={24} />
        : <PasswordInput key="password" {...field} autoComplete="current-password" maxLength={200} />}
      {fault && <p id="sign-fault" className="q-error" role="alert">{fault}</p>}
    </div>
  );
}
