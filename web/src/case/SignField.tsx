/** The password given again to sign with: above the send button, never kept, optional unless the pathway demands it. */
import { useEffect, useRef } from 'react';
import { Input, type InputRef } from 'antd';
import { useTranslation } from 'react-i18next';
import type { ApiError } from '../api/http.ts';

const RULES = ['password-needed', 'password-wrong'];

export function isPasswordRefusal(error: ApiError): boolean {
  return RULES.includes(error.refusal.rule ?? '');
}

interface Props { value: string; fault: string; compulsory: boolean; disabled: boolean; change: (value: string) => void }

export function SignField({ value, fault, compulsory, disabled, change }: Props) {
  const { t } = useTranslation();
  const input = useRef<InputRef>(null);
  useEffect(() => { if (fault) input.current?.focus(); }, [fault]);
  return (
    <div className="panel-sign">
      <label htmlFor="sign-password">{t(compulsory ? 'sign.password' : 'sign.password-optional')}</label>
      <Input.Password id="sign-password" ref={input} value={value} disabled={disabled} autoComplete="current-password" maxLength={200}
        required={compulsory} status={fault ? 'error' : undefined} aria-invalid={Boolean(fault)} aria-describedby={fault ? 'sign-fault' : undefined}
        onChange={(e) => change(e.target.value)} />
      {fault && <p id="sign-fault" className="q-error" role="alert">{fault}</p>}
    </div>
  );
}
